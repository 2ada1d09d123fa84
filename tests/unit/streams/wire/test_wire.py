"""All formats give the same events, with the same limits, and what is refused stays refused."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from features.base.durations import DAY_MS, HOUR_MS
from features.base.events import DeadLetter, Event, Label
from features.base.sections import Scoring
from features.base.settings import Settings
from features.base.storage import FolderStore, open_store
from features.domains.card_fraud.event import Payment
from infra.repartition.copying import Target
from infra.repartition.merged import time_of
from streams import topics
from streams.engine.codec import BatchDecoder
from streams.engine.testing import Abort, Batch, Driver, End, Kill
from streams.kafka.partitioners import HASHES
from streams.kafka.records import Produce, Record
from streams.labels.joiner import LabelJoiner
from streams.scoring.intake import Intake, admission
from streams.scoring.measures import Measures
from streams.wire.framing import SCHEMA_HEADER, prefix
from streams.wire.ours import FORMATS, Format
from streams.wire.wire import Wire
from tests.unit.streams.records import label, record, score
from tests.unit.streams.wire.source import T0, Schemas, Waits, schema_text, wire, written

FULL = Payment("t1", T0, "Kärtchen", "m1", 1250, "USD", 48.5, -11.25, "DE", "food", "online", False)
BARE = Payment("t2", T0 + 1, "c", "m", 0)
LABEL = Label("t1", "c", "m", T0, True, T0 + DAY_MS, "analyst")


def letters(produced: list[Produce]) -> list[DeadLetter]:
    return [msgspec.json.decode(letter.value, type=DeadLetter) for letter in produced]


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_same_events(form: Format, tmp_path: Path) -> None:
    source = Schemas()
    events, labels = source.add(form), source.add(form, topics.LABELS)
    decoder = BatchDecoder(Event, "scorer", wire(tmp_path, source))
    records = [written(form, events, event, offset) for offset, event in enumerate((FULL, BARE))]
    assert decoder.decode(records) == (records, [FULL, BARE], [])
    of_label = written(form, labels, LABEL, topic=topics.LABELS)
    assert BatchDecoder(Label, "label-joiner", wire(tmp_path, source)).decode([of_label])[1] == [LABEL]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (msgspec.structs.replace(FULL, measure=-1), "amount_minor"),
        (msgspec.structs.replace(FULL, event_time_ms=T0 // 1000), "event_time_ms"),
        (msgspec.structs.replace(FULL, subject=""), "card_id"),
        (msgspec.structs.replace(FULL, event_id="x" * 65), "transaction_id"),
        (msgspec.structs.replace(FULL, currency="eur"), "currency"),
        (msgspec.structs.replace(FULL, latitude=91.0), "latitude"),
    ],
)
def test_every_format_has_the_same_limits(form: Format, wrong: Payment, field: str, tmp_path: Path) -> None:
    source = Schemas()
    good, _, dead = BatchDecoder(Event, "scorer", wire(tmp_path, source)).decode([written(form, source.add(form), wrong)])
    (letter,) = letters(dead)
    assert not good
    assert f"$.{field}" in letter.message
    assert letter.error == "ValidationError"


def test_a_batch_of_all_formats_keeps_its_order(tmp_path: Path) -> None:
    source = Schemas()
    ids = [source.add(form) for form in FORMATS]
    records = [written(FORMATS[i % 4], ids[i % 4], msgspec.structs.replace(FULL, event_id=f"t{i}"), offset=i) for i in range(40)]
    records[7] = Record(topics.EVENTS, 0, 7, None, b"\0\0\0")
    good, events, dead = BatchDecoder(Event, "scorer", wire(tmp_path, source)).decode(records)
    assert [record.offset for record in good] == [i for i in range(40) if i != 7]
    assert [event.event_id for event in events] == [f"t{record.offset}" for record in good]
    assert letters(dead)[0].offset == 7


@pytest.mark.parametrize("form", FORMATS)
def test_a_schema_in_the_header_is_read(form: Format, tmp_path: Path) -> None:
    source, guid = Schemas(), UUID("3f2504e0-4f89-11d3-9a0c-0305e82c3301")
    schema = source.add(form)
    source.of[guid] = source.of[schema]
    before = written(form, schema, FULL).value or b""
    indexes = b"\0" if form == "protobuf" else b""
    payload = before if form == "json" else before[5 + len(indexes) :]
    for head in (b"\1" + guid.bytes + indexes, prefix(schema) + indexes):
        of_header = Record(topics.EVENTS, 0, 0, None, payload, [(SCHEMA_HEADER, head)], T0)
        assert BatchDecoder(Event, "scorer", wire(tmp_path, source)).decode([of_header])[1] == [FULL]


def test_a_dead_letter_says_what_is_wrong_with_the_schema(tmp_path: Path) -> None:
    source = Schemas()
    no_card = schema_text("avro").replace("card_id", "pan")
    source.put("AVRO", no_card)
    source.put("PROTOBUF", "syntax = nothing")
    source.put("JSON", "{}")
    values = [prefix(1) + b"x", prefix(2) + b"\0x", prefix(3) + b"{", prefix(3) + b"[]", prefix(9), prefix(2) + b"\xff"]
    records = [Record(topics.EVENTS, 3, i, b"k", value, [], T0) for i, value in enumerate(values)]
    _, _, dead = BatchDecoder(Event, "scorer", wire(tmp_path, source)).decode(records)
    refused = letters(dead)
    assert [(letter.error, letter.partition, letter.offset) for letter in refused] == [
        ("UnmappableSchema", 3, 0),
        ("UnmappableSchema", 3, 1),
        ("UndecodableValue", 3, 2),
        ("UndecodableValue", 3, 3),
        ("UnknownSchema", 3, 4),
        ("UndecodableValue", 3, 5),
    ]
    assert "schema 1: the schema has no field card_id" in refused[0].message
    assert "schema 2: the schema cannot be compiled as Protobuf: line 1" in refused[1].message


def test_json_asks_nobody(tmp_path: Path) -> None:
    source = Schemas()
    decoder = BatchDecoder(Event, "scorer", wire(tmp_path, source))
    bad = [Record(topics.EVENTS, 0, i, None, value) for i, value in enumerate((b"", b"{", b"{}", b"x"))]
    assert len(decoder.decode([written("json", 0, FULL), *bad])[2]) == 4
    assert not source.asked
    assert not list(tmp_path.iterdir())


def intake(folder: Path, source: Schemas | None) -> Intake:
    of_partition = admission(Scoring())
    return Intake(Scoring(), lambda _: of_partition, Measures(Settings()), wire=wire(folder, source))


def test_what_was_unknown_is_not_taken_when_its_log_is_read_again(tmp_path: Path) -> None:
    source = Schemas()
    records = [written("avro", 1, msgspec.structs.replace(FULL, event_id=f"t{i}"), offset=i) for i in range(6)]
    first = intake(tmp_path, source)
    judged = first.take(records[:3])
    assert judged.new is None
    assert [letter.error for letter in letters(judged.dead)] == ["UnknownSchema"] * 3
    # It is registered now: what comes next is taken, after a restart or without.
    source.add("avro")
    later = intake(tmp_path, source)
    taken = later.take(records[3:]).new
    assert taken is not None
    assert [record.offset for record in taken.records] == [3, 4, 5]
    # And again: what was taken then, and nothing else.
    again = [record.offset for part in intake(tmp_path, source).again(records) for record in part.records]
    assert again == [3, 4, 5]
    # A batch that was given up after its refusal was written down is refused once more.
    assert intake(tmp_path, source).take(records[:3]).new is None


def test_a_log_that_was_made_anew_is_not_decided_by_the_old_one(tmp_path: Path) -> None:
    source = Schemas()
    intake(tmp_path, source).take([written("avro", 1, FULL, offset=9)])
    source.add("avro")
    anew = msgspec.structs.replace(written("avro", 1, FULL, offset=9), appended_ms=T0 + HOUR_MS)
    assert intake(tmp_path, source).take([anew]).new is not None


def test_refusals_are_those_of_now_after_a_partition_was_elsewhere(tmp_path: Path) -> None:
    source = Schemas()
    ours, theirs = intake(tmp_path, source), intake(tmp_path, source)
    records = [written("avro", 1, msgspec.structs.replace(FULL, event_id=f"t{i}"), offset=i) for i in range(3)]
    ours.take(records[:1])
    theirs.take(records[1:2])
    source.add("avro")
    ours.forget([(topics.EVENTS, 0)])
    assert [record.offset for part in ours.again(records) for record in part.records] == [2]


def test_a_store_that_cannot_be_written_is_waited_for(tmp_path: Path) -> None:
    class Full(FolderStore):
        tries = 0

        def write(self, name: str, data: bytes) -> None:
            self.tries += 1
            if self.tries < 4:
                raise OSError("no space left on device")
            super().write(name, data)

    store, waits = Full(tmp_path), Waits()
    decoder = BatchDecoder(Event, "scorer", Wire(Schemas(), store, waits))
    assert len(decoder.decode([written("avro", 1, FULL)])[2]) == 1
    assert waits.seconds.count(1.0) >= 3
    assert store.names("refused") == [f"{topics.EVENTS}-0.json"]


class World:
    """Scores and labels of one partition; labels are written in Avro by schema 1."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(dir=folder, partitions=1)
        self.source = Schemas()
        self.driver = Driver(self.settings, self.core)

    def core(self) -> LabelJoiner:
        return LabelJoiner(
            self.settings.labels.delay_ms, wire=Wire(self.source, open_store(self.settings.schema_cache, "snapshots.path"))
        )

    def outcomes(self) -> list[str]:
        outcomes = [json.loads(outcome.value or b"") for outcome in self.driver.read(topics.OUTCOMES)]
        return sorted(f"{outcome['event_id']} {outcome['source']}" for outcome in outcomes)


def test_the_joiner_decides_again_as_it_did_after_aborts_and_kills(tmp_path: Path) -> None:
    world = World(tmp_path)
    start = 1_767_571_200_000

    def of_label(i: int) -> Record:
        return written("avro", 1, label(f"s{i}", start, True, start + HOUR_MS), topic=topics.LABELS)

    def scores(first: int, end: int, at: int = start) -> list[Record]:
        return [record(topics.SCORES, 0, score(f"s{i}", at)) for i in range(first, end)]

    def registered() -> None:
        world.source.add("avro", topics.LABELS)
        world.driver.clock.advance(60)

    world.driver.run(
        [
            *scores(0, 4),
            of_label(0),
            Abort(),
            Batch(5),
            Batch(5),
            Kill(),
            registered,
            of_label(1),
            End(),
            Kill(),
            record(topics.SCORES, 0, score("late", start + 30 * DAY_MS)),
            End(),
        ]
    )
    refused = [msgspec.json.decode(letter.value or b"", type=DeadLetter).error for letter in world.driver.read(topics.DLQ)]
    assert refused == ["UnknownSchema"]
    assert world.outcomes() == ["s0 matured", "s1 chargeback", "s2 matured", "s3 matured"]


@pytest.mark.parametrize("form", FORMATS)
def test_a_repartition_reads_subjects_and_times(form: Format, tmp_path: Path) -> None:
    source = Schemas()
    of_event = written(form, source.add(form), FULL)
    of_label = written(form, source.add(form, topics.LABELS), LABEL, topic=topics.LABELS)
    reads = wire(tmp_path, source)
    assert time_of(of_event, reads) == FULL.event_time_ms
    assert time_of(of_label, reads) == LABEL.label_time_ms
    keyless = [msgspec.structs.replace(record, key=None) for record in (of_event, of_label)]
    target = Target("murmur2", 64, reads)
    assert [target(record) for record in keyless] == [HASHES["murmur2"](key.encode()) % 64 for key in ("Kärtchen", "c")]
    assert time_of(Record(topics.EVENTS, 0, 0, None, prefix(99)), reads) is None
