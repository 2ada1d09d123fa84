"""Values to typed structs and back: JSON, and what producers send by the schemas of a registry (``streams.wire``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import msgspec

from streams.engine.core import dead_letter
from streams.kafka.records import Produce, Record
from streams.wire.errors import WireError
from streams.wire.wire import Wire

T = TypeVar("T", bound=msgspec.Struct)

encode = msgspec.json.Encoder().encode

#: What a value that cannot be read as JSON raises.
_NO_JSON = (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError)
#: What ``Decoder.decode`` raises of a value that cannot be read.
UNREADABLE = (*_NO_JSON, WireError)


class EmptyValue(ValueError):
    """A record without a value (a tombstone) where an event was expected."""


class Decoder(Generic[T]):
    """Decodes one record at a time, for whoever reads a topic beside its processors. ``kind``: the topic's event, or a view.

    ``wire``: where the topic is of producers; None: its values are JSON.
    """

    def __init__(self, kind: type[T], wire: Wire | None = None) -> None:
        self._json = msgspec.json.Decoder(kind).decode
        self._kind, self._wire = kind, wire

    def decode(self, record: Record) -> T:
        """Return what the record holds, decided as it was when it was processed. Raises ``UNREADABLE``."""
        try:
            return self._json(record.value or b"")
        except _NO_JSON:
            event = self._wire.event(record, self._kind, again=True) if self._wire is not None else None
            if event is None:
                raise
            return event


class BatchDecoder(Generic[T]):
    """Decodes records into structs of one type for one processor; what cannot be decoded becomes a dead letter.

    ``wire``: as in ``Decoder``. JSON is tried first: no value of another format can be read as an event of it. ``explain``: makes
    of a value's error one that says the way out.
    """

    def __init__(
        self,
        kind: type[T],
        processor: str,
        wire: Wire | None = None,
        explain: Callable[[Exception], Exception] = lambda error: error,
    ) -> None:
        self._decode = msgspec.json.Decoder(kind).decode
        self._processor = processor
        self._kind, self._wire = kind, wire
        self._explain = explain

    def decode(self, records: Iterable[Record], *, again: bool = False) -> tuple[list[Record], list[T], list[Produce]]:
        """Return the good records, their events (same length and order), and the dead letters of the others.

        ``again``: these were processed before, and are decided as they were then.
        """
        decode = self._decode
        good: list[Record] = []
        events: list[T] = []
        bad: list[Produce] = []
        for record in records:
            try:
                events.append(decode(record.value or b""))
            except _NO_JSON as error:
                try:
                    events.append(self._other(record, error, again))
                except (*UNREADABLE, EmptyValue) as reason:
                    bad.append(dead_letter(record, self._processor, self._explain(reason)))
                else:
                    good.append(record)
            else:
                good.append(record)
        if bad and self._wire is not None and not again:
            self._wire.settle()
        return good, events, bad

    def _other(self, record: Record, error: Exception, again: bool) -> T:
        """Return the event of a value that is not plain JSON; raise why it is none. ``error``: why it is no JSON."""
        if not record.value:
            raise EmptyValue("the record has no value; publish a JSON object")
        event = self._wire.event(record, self._kind, again=again) if self._wire is not None else None
        if event is None:
            raise error
        return event
