"""Hostile and unlucky records: what they hold is in no log line and in no dead letter's message."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from features.base.events import EVENT_OF, DeadLetter, Score
from features.base.settings import Settings, load
from features.catalogue.vector import SCHEMA
from features.online.cached_reader import Reader
from features.online.store import ProfileReader
from serving.client.client import KServeClient
from streams.engine.codec import BatchDecoder
from streams.engine.core import dead_letter
from streams.kafka.records import Record
from streams.kafka.refusal import Refused
from streams.labels.joiner import LabelJoiner
from streams.scoring.scorer import Scorer
from streams.writers.archive import Archive, ArchiveSink
from streams.writers.counterpart_risk import CounterpartRisk
from streams.writers.subject_activity import FeastSink, FeastWriter
from tests.unit.streams.records import T0, score

TEXT, NUMBER = "marker-4929123412341234", 4929123412341234
MARKS = ("4929123412341234", "4.929123412341234")

#: A record of each topic whose decoding comes as far as the field in question.
GOOD: dict[str, dict[str, Any]] = {
    "transactions": {"transaction_id": TEXT, "event_time_ms": T0, "card_id": TEXT, "terminal_id": TEXT, "amount_minor": NUMBER},
    "labels": {
        "transaction_id": TEXT,
        "card_id": TEXT,
        "terminal_id": TEXT,
        "event_time_ms": T0,
        "is_fraud": True,
        "label_time_ms": T0,
        "source": TEXT,
    },
    "outcomes": {
        "event_id": TEXT,
        "subject": TEXT,
        "counterpart": TEXT,
        "event_time_ms": T0,
        "outcome_time_ms": T0,
        "positive": True,
        "source": "matured",
        "measure": 2**63 + NUMBER,
    },
}


def wrong(topic: str) -> Iterator[bytes]:
    """Each field in turn holds a marker, of each JSON type; then what is no event at all."""
    fields = EVENT_OF[topic].__struct_fields__
    good = GOOD.get(topic, {})
    for field in fields:
        for value in (
            TEXT,
            NUMBER,
            -NUMBER,
            NUMBER + 0.5,
            [TEXT],
            {TEXT: NUMBER},
            {TEXT: {TEXT: TEXT}},
            TEXT * 1000,
            10**25 + NUMBER,
        ):
            yield json.dumps({**good, field: value}).encode()
    yield json.dumps(good).encode()
    yield from (json.dumps(TEXT).encode(), str(NUMBER).encode(), f"{TEXT} {NUMBER}".encode(), TEXT.encode("utf-16"))
    yield b'{"card_id": "' + TEXT.encode() + b'\xff"}'
    yield b'{"entry_mode": "' + TEXT.encode() + b'", "card_id": ' + b"[" * 5000


def clean(text: str) -> bool:
    return not any(mark in text for mark in MARKS)


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


@pytest.mark.parametrize("topic", EVENT_OF)
def test_no_dead_letter_repeats_what_it_holds(topic: str, caplog: pytest.LogCaptureFixture) -> None:
    records = [Record(topic, 0, i, TEXT.encode(), value) for i, value in enumerate(wrong(topic))]
    _, _, letters = BatchDecoder(EVENT_OF[topic], "test").decode(records)
    assert len(letters) > 10
    for letter in letters:
        dead_letter = msgspec.json.decode(letter.value, type=DeadLetter)
        assert clean(dead_letter.message), dead_letter.message
        assert clean(dead_letter.error)
    assert clean(caplog.text)


def test_the_cores_and_their_sinks_say_nothing_of_what_passes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = load(tmp_path)
    records: dict[str, list[Record]] = {topic: [] for topic in GOOD}
    for topic, taken in records.items():
        taken += [Record(topic, 0, i, TEXT.encode(), value) for i, value in enumerate(wrong(topic))]
    event = score(TEXT, T0)
    event = msgspec.structs.replace(event, event=msgspec.structs.replace(event.event, subject=TEXT, measure=492912341))
    scored = [Record("scores", 0, i, None, value) for i, value in enumerate([*wrong("scores"), msgspec.json.encode(event)])]
    archive = Archive(SCHEMA).process(scored + records["outcomes"])
    ArchiveSink(settings).write(archive.rows)
    assert any(isinstance(row.event, Score) for row in archive.rows)
    letters = [
        *archive.produce,
        *LabelJoiner(86_400_000).process(records["labels"] + scored).produce,
        *CounterpartRisk(86_400_000, 3_600_000).process(records["outcomes"]).produce,
    ]
    for letter in letters:
        if letter.topic == "dlq":
            assert clean(msgspec.json.decode(letter.value, type=DeadLetter).message)
    _redis_is_away(settings, FeastWriter().process(scored).rows)
    assert clean(caplog.text)


def test_a_scorer_without_redis_and_model_server_says_nothing_of_its_batch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load(tmp_path)
    settings.ports.redis, settings.ports.grpc = 1, 2
    settings.scoring.fallback, settings.scoring.fallback_after_s = "rules", 0.0
    model = KServeClient(settings.grpc_address, settings.model, "token", timeout_s=2.0)
    core = Scorer(settings, model, Reader(ProfileReader(settings), settings.feast))
    good = json.dumps({**GOOD["transactions"], "amount_minor": 4929123412}).encode()
    # The same id with another amount: a conflict.
    other = json.dumps({**GOOD["transactions"], "amount_minor": 49291234129}).encode()
    records = [Record("transactions", 0, i, None, value) for i, value in enumerate([good, other, *wrong("transactions")])]
    letters = [msgspec.json.decode(item.value, type=DeadLetter) for item in core.process(records).produce if item.topic == "dlq"]
    assert {"ConflictingTransaction", "ValidationError", "DecodeError"} <= {letter.error for letter in letters}
    assert all(clean(letter.message) and "4929123412" not in letter.message for letter in letters)
    assert "the model server does not" in caplog.text
    assert "scores are degraded" in caplog.text
    assert clean(caplog.text)
    assert "4929123412" not in caplog.text


def _redis_is_away(settings: Settings, rows: list[Any]) -> None:
    import redis

    settings.ports.redis = 1
    sink = FeastSink(settings)
    with pytest.raises(redis.RedisError) as away:
        sink.write(rows)
    assert clean(str(away.value))
    logging.getLogger("test").error("failed", exc_info=away.value)


def test_an_error_of_ours_keeps_its_words() -> None:
    letter = dead_letter(Record("labels", 0, 0, None, b"{}"), "test", Refused("the words"))
    assert msgspec.json.decode(letter.value, type=DeadLetter).message == "the words"
