"""Values of producers as events, whatever they are written in."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any, TypeVar

import msgspec

from features.base.events import EVENT_OF
from features.base.settings import Settings, SettingsError
from features.base.storage import Store, open_store
from streams.kafka.records import Partition, Record
from streams.wire.errors import UndecodableValue, UnknownSchema, UnmappableSchema
from streams.wire.framing import Framed, framed, message_indexes
from streams.wire.known import AGAIN_S, Key, Known, Wait
from streams.wire.parts import Reader, parts_of
from streams.wire.refusals import Refusals
from streams.wire.registry import Registered, Registry, Source

log = logging.getLogger(__name__)

T = TypeVar("T", bound=msgspec.Struct)

_WRITE_PAUSE_S = 1.0


class Wire:
    """Reads what plain JSON is not. One for each processor, which says how to wait (``streams.engine.core.Waits``).

    ``store``: where schemas and refusals are kept; ``source``: None where there is no registry; ``again_s``: how long a log
    that is read again waits for one that is away.
    """

    def __init__(self, source: Source | None, store: Store, wait: Wait = time.sleep, again_s: float = AGAIN_S) -> None:
        self._known = Known(source, store, wait, again_s=again_s)
        self._refusals = Refusals(store)
        self._readers: dict[tuple[str, Key, tuple[int, ...]], Reader | UnmappableSchema] = {}
        self._unsettled: list[tuple[Record, Key]] = []

    @property
    def waits_for(self) -> str:
        """Return what is waited for, in words; empty: nothing."""
        return self._known.waits_for

    def wait_with(self, wait: Wait) -> None:
        """Wait by ``wait`` from now on."""
        self._known.wait = wait

    def event(self, record: Record, kind: type[T], *, again: bool) -> T | None:
        """Return the record as a ``kind``: the event of its topic, or a view of it. None: the record names no schema.

        ``again``: it was processed before, and is decided as it was then. Raises WireError, msgspec.ValidationError where the
        event's own limits are broken, RegistryAway where ``again`` and nobody can say, and what a wait raises.
        """
        value = framed(record)
        if value is None or record.topic not in EVENT_OF:
            return None
        return msgspec.convert(self._row(record, value, again), kind)

    def settle(self) -> None:
        """Write down what was refused since the last call: before its dead letters are committed. Waits while that fails."""
        while self._unsettled:
            try:
                self._refusals.remember(self._unsettled)
            except Exception as error:  # a full disk, a store that is away: what is refused must be known when it is read again
                self._known.waits_for = f"refused records cannot be written down ({error})"
                log.error("%s; waits", self._known.waits_for)  # noqa: TRY400
                self._known.wait(_WRITE_PAUSE_S)
            else:
                self._unsettled = []
                self._known.waits_for = ""

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Drop what is known of partitions that went to another member."""
        self._unsettled = []
        self._refusals.forget(partitions)
        self._known.forget()

    def _row(self, record: Record, value: Framed, again: bool) -> dict[str, Any]:
        registered = self._schema(record, value, again)
        if registered.type == "JSON":
            return _object(value.payload)
        indexes, payload = message_indexes(value) if registered.type == "PROTOBUF" else ((), value.payload)
        key = record.topic, value.schema, indexes
        reader = self._readers.get(key)
        if reader is None:
            try:
                reader = _reader_of(registered, indexes, record.topic)
            except UnmappableSchema as error:
                reader = UnmappableSchema(f"schema {value.schema}: {error}")
            self._readers[key] = reader
        if isinstance(reader, UnmappableSchema):
            raise UnmappableSchema(str(reader))
        return reader(payload)

    def _schema(self, record: Record, value: Framed, again: bool) -> Registered:
        """Return the record's schema. Raises UnknownSchema; that it did is written down by ``settle``."""
        if self._refusals.refused(record, value.schema):
            raise UnknownSchema(f"schema {value.schema} was unknown when the record came; driftloop dlq replay sends it again")
        try:
            return self._known.get(value.schema, again=again)
        except UnknownSchema:
            if not again:
                self._unsettled.append((record, value.schema))
            raise


def of(settings: Settings, again_s: float = AGAIN_S) -> Wire:
    """Make the wire of a platform (``again_s``: see ``Wire``). Raises SettingsError where a secret of it is not there."""
    source = Registry(settings) if settings.schema_registry.url else None
    return Wire(source, open_store(settings.schema_cache, "snapshots.path"), again_s=again_s)


def _reader_of(registered: Registered, indexes: tuple[int, ...], topic: str) -> Reader:
    parts = parts_of(EVENT_OF[topic])
    if registered.type == "AVRO":
        from streams.wire.avro import avro_reader

        return avro_reader(registered.schema, [text for _, text in registered.references], parts)
    if find_spec("grpc_tools") is None:
        raise SettingsError("a producer sends Protobuf, and the package grpcio-tools is missing; install driftloop[streams]")
    from streams.wire.protobuf import message_reader
    from streams.wire.protoc import compiled

    return message_reader(compiled(registered.schema, dict(registered.references)), indexes, parts)


def _object(payload: bytes) -> dict[str, Any]:
    try:
        row = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UndecodableValue(f"the value behind its schema's id is no JSON ({type(error).__name__})") from error
    if not isinstance(row, dict):
        raise UndecodableValue("the value behind its schema's id is no JSON object")
    return row
