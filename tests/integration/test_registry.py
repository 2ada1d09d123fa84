"""Producers with Avro, Protobuf and JSON Schema, at a real registry and a real broker."""

from __future__ import annotations

import http.client
import json
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from confluent_kafka import KafkaError, TopicPartition

from features.base.events import DeadLetter
from features.base.schema_registry import SchemaRegistry
from features.base.sections import Scoring
from features.base.settings import Settings, load
from features.base.storage import FolderStore
from features.domains.card_fraud.event import Payment
from infra.cli import main
from streams import topics
from streams.engine import shell as shells
from streams.engine.core import Output, Wait
from streams.engine.replay_log import record_of
from streams.engine.shell import Shell
from streams.kafka.clients import consumer, producer
from streams.kafka.create_topics import create
from streams.kafka.records import Produce, Record
from streams.schemas import registered
from streams.scoring.intake import Intake, admission
from streams.scoring.measures import Measures
from streams.topics import Topic
from streams.wire import wire
from streams.wire.encode import encoder
from streams.wire.errors import RegistryAway, UnknownSchema
from streams.wire.framing import framed, prefix
from streams.wire.ours import FORMATS
from streams.wire.registry import Registry
from streams.wire.wire import Wire
from tests import registry as servers
from tests.integration.counting import read, running, wait_for
from tests.registry import Running

pytestmark = pytest.mark.integration

T0 = 1_767_571_200_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with servers.running(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def settings(platform: Settings, server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The platform's, with the registry, and a cache of schemas of the test's own."""
    monkeypatch.setenv("DRIFTLOOP_SCHEMA_REGISTRY__URL", server.url)
    monkeypatch.setenv("DRIFTLOOP_SCHEMA_REGISTRY__TIMEOUT_S", "30")
    monkeypatch.setenv("DRIFTLOOP_SNAPSHOTS__PATH", str(tmp_path / "snapshots"))
    # A proxy of the surroundings is nothing to a registry of this host.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    return load(platform.dir)


@pytest.fixture
def api(settings: Settings) -> Registry:
    return Registry(settings)


def run(settings: Settings, *arguments: str) -> int:
    return main.run(["--dir", str(settings.dir), *arguments])


def test_ours_are_registered_where_they_fit(settings: Settings, api: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(settings, "schemas", "publish", "avro", "--dry-run") == 0
    assert capsys.readouterr().out == "transactions-value: would register\nlabels-value: would register\n"
    assert not {"transactions-value", "labels-value"} & set(api.ask("/subjects"))
    assert run(settings, "simulate", "--days", "1", "--format", "avro") == 2
    assert "run driftloop schemas publish avro first" in capsys.readouterr().err
    for form in ("avro", "protobuf", "json"):
        assert run(settings, "schemas", "publish", form) == 0
        assert "labels-value: registered as id" in capsys.readouterr().out
        assert run(settings, "schemas", "publish", form) == 0
        assert "transactions-value: is there as id" in capsys.readouterr().out


def test_one_that_does_not_fit_is_not_registered(
    settings: Settings, api: Registry, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.wire.ours.subject", lambda topic: f"{topic}-other-value")
    theirs = {"type": "record", "name": "Theirs", "fields": [{"name": "card_id", "type": "long"}]}
    api.ask("/subjects/labels-other-value/versions", {"schema": json.dumps(theirs)})
    _put_backward(settings, "labels-other-value")
    assert run(settings, "schemas", "publish", "avro") == 2
    assert "labels-other-value has a version with which ours is not compatible" in capsys.readouterr().err
    assert "transactions-other-value" not in api.ask("/subjects")


def _put_backward(settings: Settings, subject: str) -> None:
    parts = urlsplit(settings.schema_registry.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=20)
    body = b'{"compatibility": "BACKWARD"}'
    connection.request("PUT", f"{parts.path}/config/{subject}", body, {"Content-Type": "application/json"})
    assert connection.getresponse().status == 200
    connection.close()


def test_the_same_history_in_every_format_is_the_same_to_the_scorer(settings: Settings) -> None:
    for form in ("avro", "protobuf", "json"):
        assert run(settings, "schemas", "publish", form) == 0
    seed = str(uuid.uuid4().int % 10**9)
    for form in FORMATS:
        assert (
            run(
                settings,
                "simulate",
                "--days",
                "1",
                "--subjects",
                "60",
                "--seed",
                seed,
                "--all-labels",
                "--again",
                "--format",
                form,
            )
            == 0
        )
    records = [record for record in _all(settings, topics.EVENTS) if f"t{seed}-".encode() in (record.value or b"")]
    admissions = {partition: admission(Scoring()) for partition in range(settings.partitions)}
    taken, repeated = 0, 0
    intake = Intake(Scoring(), admissions.__getitem__, Measures(settings), wire=wire.of(settings))
    for partition in range(settings.partitions):
        judged = intake.take([record for record in records if record.partition == partition])
        assert not judged.dead
        taken += len(judged.new.records) if judged.new is not None else 0
        repeated += judged.repeated
    # Each is known again whatever it is written in: body and all.
    assert taken > 50
    assert repeated == (len(FORMATS) - 1) * taken
    assert {(record.value or b"")[:1] for record in records} == {b"{", b"\0"}


def _all(settings: Settings, topic: str) -> list[Record]:
    reader = consumer(settings, uuid.uuid4().hex)
    reader.assign([TopicPartition(topic, p, 0) for p in range(settings.partitions)])
    records, open_partitions = [], set(range(settings.partitions))
    try:
        while open_partitions:
            for message in reader.consume(1000, 1.0):
                if message.error() is None:
                    records.append(record_of(message))
                else:
                    assert message.error().code() == KafkaError._PARTITION_EOF
                    open_partitions.discard(message.partition())
    finally:
        reader.close()
    return records


def test_schemas_that_others_name_are_fetched_along(api: Registry, tmp_path: Path) -> None:
    mode = {"type": "enum", "name": "org.Mode", "symbols": ["CHIP", "ONLINE"]}
    api.ask("/subjects/mode/versions", {"schema": json.dumps(mode)})
    names = ("transaction_id", "card_id", "terminal_id")
    fields: list[dict[str, Any]] = [{"name": name, "type": "string"} for name in names]
    fields += [{"name": name, "type": "long"} for name in ("event_time_ms", "amount_minor")]
    whole = {"type": "record", "name": "org.P", "fields": [*fields, {"name": "entry_mode", "type": "org.Mode"}]}
    reference = {"name": "org.Mode", "subject": "mode", "version": 1}
    avro = api.ask("/subjects/whole/versions", {"schema": json.dumps(whole), "references": [reference]})["id"]
    proto_mode = 'syntax = "proto3"; package org; enum Mode { MODE_UNSPECIFIED = 0; CHIP = 1; }'
    api.ask("/subjects/mode-proto/versions", {"schemaType": "PROTOBUF", "schema": proto_mode})
    text = 'syntax = "proto3"; import "org/mode.proto"; message P { string transaction_id = 1; int64 event_time_ms = 2;'
    text += "string card_id = 3; string terminal_id = 4; int64 amount_minor = 5; org.Mode entry_mode = 6; }"
    named = [{"name": "org/mode.proto", "subject": "mode-proto", "version": 1}]
    proto = api.ask("/subjects/p/versions", {"schemaType": "PROTOBUF", "schema": text, "references": named})["id"]
    reads = Wire(api, FolderStore(tmp_path))
    of_avro = prefix(avro) + b"\x02t" + b"\x02c" + b"\x02m" + _varint(2 * T0) + _varint(2 * 1250) + b"\x00"
    of_proto = prefix(proto) + b"\0" + b"\x0a\x01t\x10" + _varint(T0) + b"\x1a\x01c\x22\x01m\x28" + _varint(1250) + b"\x30\x01"
    for value in (of_avro, of_proto):
        event = reads.event(Record(topics.EVENTS, 0, 0, None, value), Payment, again=False)
        assert event == Payment("t", T0, "c", "m", 1250, mode="chip")


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


class Elsewhere:
    """The scorer's intake between topics of the test's own: what it takes is written out by its id."""

    def __init__(self, settings: Settings, source: str, target: str) -> None:
        self.name = f"intake-{source}"
        self.inputs: tuple[str, ...] = (source,)
        self.outputs: tuple[str, ...] = (target, topics.DLQ)
        self.replays: tuple[str, ...] = (source,)
        self._target = target
        self._wire = wire.of(settings)
        self._admissions = {partition: admission(Scoring()) for partition in range(2)}
        self._intake = Intake(Scoring(), self._admissions.__getitem__, Measures(settings), wire=self._wire)
        self.restored: list[str] = []

    def process(self, records: Sequence[Record]) -> Output:
        judged = self._intake.take([msgspec.structs.replace(record, topic=topics.EVENTS) for record in records])
        events = judged.new.events if judged.new is not None else []
        return Output([*judged.dead, *(Produce(self._target, None, event.event_id.encode()) for event in events)])

    def wait_with(self, wait: Wait) -> None:
        self._wire.wait_with(wait)

    @property
    def waits_for(self) -> str:
        return self._wire.waits_for

    def restore(self, records: Sequence[Record]) -> None:
        for part in self._intake.again([msgspec.structs.replace(record, topic=topics.EVENTS) for record in records]):
            self.restored += [event.event_id for event in part.events]

    def forget(self, partitions: Sequence[tuple[str, int]]) -> None:
        self._intake.forget([(topics.EVENTS, number) for _, number in partitions])


def test_the_stream_waits_for_a_registry_that_is_away_and_a_restart_needs_none(
    settings: Settings, server: Running, api: Registry, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(settings, "schemas", "publish", "protobuf") == 0
    ours = registered.latest(api, "protobuf", topics.EVENTS)
    assert ours is not None
    settings.schema_registry.timeout_s = 3.0
    write = encoder("protobuf", topics.EVENTS, ours.id)
    name = uuid.uuid4().hex[:8]
    source, target = f"in-{name}", f"out-{name}"
    create(settings, [Topic(source, 2), Topic(target, 2)])
    sender = producer(settings)

    def send(n: int, value: bytes) -> None:
        sender.produce(source, value, b"c", n % 2)
        assert sender.flush(20) == 0

    def events(n: int) -> Payment:
        return Payment(f"{name}-{n}", T0 + n, "c", "m", 1250)

    # The health of a stream that stands says what for; a minute is long for a test.
    monkeypatch.setattr(shells, "STUCK_S", 0.5)
    unknown = prefix(2**31 - 1 - int(name[:6], 16)) + b"\0x"
    first = Shell(settings, Elsewhere(settings, source, target))
    with running(first):
        send(0, msgspec.json.encode(events(0)))
        wait_for(lambda: len(read(settings, target)) == 1, 60)
        with server.away():
            send(1, write(events(1)))
            wait_for(lambda: any("the schema registry at http" in reason for reason in first.health()), 60)
            assert len(read(settings, target)) == 1
        wait_for(lambda: len(read(settings, target)) == 2, 60)
        send(2, unknown)
        wait_for(lambda: bool(_letters(settings, unknown)), 60)
    (letter,) = _letters(settings, unknown)
    assert (letter.error, letter.partition) == ("UnknownSchema", 0)
    assert "does not hand out schema" in letter.message

    again = Elsewhere(settings, source, target)
    with server.away(), running(Shell(settings, again)):
        send(3, write(events(3)))
        wait_for(lambda: len(read(settings, target)) == 3, 60)
    assert sorted(again.restored) == [f"{name}-0", f"{name}-1"]

    place = next(f"{p}:{o}" for p, o, value in _dlq(settings) if value == unknown)
    assert run(settings, "dlq", "show", place) == 0
    shown = capsys.readouterr().out
    assert "UnknownSchema" in shown
    assert f"schema:    {framed(Record('', 0, 0, None, unknown)).schema}" in shown  # type: ignore[union-attr]


def _dlq(settings: Settings) -> list[tuple[int, int, bytes | None]]:
    reader = consumer(settings, uuid.uuid4().hex)
    reader.assign([TopicPartition(topics.DLQ, 0, 0)])
    letters: list[tuple[int, int, bytes | None]] = []
    try:
        while True:
            message = reader.poll(10)
            assert message is not None
            if message.error() is not None:
                assert message.error().code() == KafkaError._PARTITION_EOF
                return letters
            letters.append((0, message.offset(), msgspec.json.decode(message.value(), type=DeadLetter).value))
    finally:
        reader.close()


def _letters(settings: Settings, value: bytes) -> list[DeadLetter]:
    reader = consumer(settings, uuid.uuid4().hex)
    reader.assign([TopicPartition(topics.DLQ, 0, 0)])
    letters = []
    try:
        while (message := reader.poll(10)) is not None and message.error() is None:
            letter = msgspec.json.decode(message.value(), type=DeadLetter)
            letters += [letter] if letter.value == value else []
    finally:
        reader.close()
    return letters


def test_what_a_registry_says(settings: Settings, api: Registry, server: Running) -> None:
    with pytest.raises(UnknownSchema, match="does not hand out schema 99999"):
        api.fetch(99999)
    with pytest.raises(UnknownSchema):
        api.fetch(uuid.uuid4())
    for hasty in (SchemaRegistry(url=server.url, timeout_s=0.5), SchemaRegistry(url="http://127.0.0.1:9")):
        other = settings.model_copy(update={"schema_registry": hasty})
        with server.away(), pytest.raises(RegistryAway, match="does not answer"):
            Registry(other).fetch(1)
