"""Which dead letters are meant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import typer

from features.base.events import DeadLetter
from infra.inspect.tail import Seen
from streams.engine.core import MOST_KEY, MOST_VALUE


@dataclass(frozen=True, slots=True)
class Filter:
    """Empty and None: any. ``since_ms`` <= arrival in ``dlq`` < ``until_ms``; ``places``: partition and offset in ``dlq``."""

    processor: str = ""
    error: str = ""
    topic: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    places: frozenset[tuple[int, int]] = frozenset()

    def wants(self, seen: Seen, letter: DeadLetter) -> bool:
        """Tell whether this letter, found there, is meant."""
        return (
            self.processor in ("", letter.processor)
            and self.error in ("", letter.error)
            and self.topic in ("", letter.topic)
            and (self.since_ms is None or seen.timestamp_ms >= self.since_ms)
            and (self.until_ms is None or seen.timestamp_ms < self.until_ms)
            and (not self.places or (seen.partition, seen.offset) in self.places)
        )


def chosen(
    processor: str, error: str, topic: str, since: datetime | None, until: datetime | None, places: list[str] | None = None
) -> Filter:
    """Make the filter of what was typed; times are UTC. Raises typer.BadParameter."""
    first, stop = (None if when is None else int(when.replace(tzinfo=UTC).timestamp() * 1000) for when in (since, until))
    if first is not None and stop is not None and first >= stop:
        raise typer.BadParameter(f"--since {since} is not before --until {until}; leave one out or mend it")
    return Filter(processor, error, topic, first, stop, frozenset(map(parsed, places or [])))


def parsed(place: str) -> tuple[int, int]:
    """Return ``0:17`` as numbers. Raises typer.BadParameter."""
    partition, _, offset = place.partition(":")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise typer.BadParameter(f"{place!r} is no PARTITION:OFFSET such as 0:17")
    return int(partition), int(offset)


def is_cut(letter: DeadLetter) -> bool:
    """Tell whether the record is not all in its letter. Letters of older versions do not say so: the largest count as cut."""
    return letter.truncated or len(letter.value or b"") >= MOST_VALUE or len(letter.key or b"") >= MOST_KEY
