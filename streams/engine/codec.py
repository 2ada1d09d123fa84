"""JSON to typed structs and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import msgspec

from streams.engine.core import dead_letter
from streams.kafka.records import Produce, Record

T = TypeVar("T", bound=msgspec.Struct)

encode = msgspec.json.Encoder().encode


class EmptyValue(ValueError):
    """A record without a value (a tombstone) where an event was expected."""


class BatchDecoder(Generic[T]):
    """Decodes records into structs of one type for one processor; what cannot be decoded becomes a dead letter.

    ``explain``: makes of a value's error one that says the way out.
    """

    def __init__(self, kind: type[T], processor: str, explain: Callable[[Exception], Exception] = lambda error: error) -> None:
        self._decode = msgspec.json.Decoder(kind).decode
        self._processor = processor
        self._explain = explain

    def decode(self, records: Iterable[Record]) -> tuple[list[Record], list[T], list[Produce]]:
        """Return the good records, their events (same length and order), and the dead letters of the others."""
        decode = self._decode
        good: list[Record] = []
        events: list[T] = []
        bad: list[Produce] = []
        for record in records:
            try:
                events.append(decode(record.value or b""))
            except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                reason = self._explain(error) if record.value else EmptyValue("the record has no value; publish a JSON object")
                bad.append(dead_letter(record, self._processor, reason))
            else:
                good.append(record)
        return good, events, bad
