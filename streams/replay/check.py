"""What a check of a whole file keeps in mind: ids that come twice, and a digest of each day."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from features.base.durations import DAY_MS
from streams.publish.batch import Events


@dataclass(frozen=True)
class Checked:
    """A file that can be published. ``skipped``: rows that its mapping leaves out. Times are epoch ms, None without rows.

    ``days``: a digest of each UTC day that has rows, by ISO date, of its ids and times: equal ones are the same day again.
    """

    rows: int
    skipped: int
    first_ms: int | None
    last_ms: int | None
    newest_label_ms: int
    days: dict[str, str]


@dataclass
class Seen:
    """Ids and days as they pass. Takes eight bytes of memory a row."""

    _hashes: list[NDArray[np.int64]] = field(default_factory=list)
    _days: dict[int, tuple[blake2b, blake2b]] = field(default_factory=dict)

    def add(self, events: Events) -> None:
        """Take events in order of time."""
        self._hashes.append(hashes(events))
        days = events.event_time_ms // DAY_MS
        cuts = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(days)]
        for a, b in pairwise(cuts):
            if a < b:
                of_ids, of_times = self._days.setdefault(int(days[a]), (blake2b(digest_size=12), blake2b(digest_size=12)))
                of_ids.update("".join(f"{len(i)}:{i}" for i in events.event_id[a:b].tolist()).encode())
                of_times.update(np.ascontiguousarray(events.event_time_ms[a:b], dtype="<i8").tobytes())

    @property
    def days(self) -> dict[str, str]:
        """Return a digest of each day, by ISO date."""
        return {
            iso_day(day * DAY_MS): of_ids.hexdigest() + of_times.hexdigest()[:8] for day, (of_ids, of_times) in self._days.items()
        }

    def repeated(self) -> set[int]:
        """Return the hashes that came more than once: those of ids that stand twice, and hardly ever others."""
        if not self._hashes:
            return set()
        ordered = np.sort(np.concatenate(self._hashes))
        return set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())


def hashes(events: Events) -> NDArray[np.int64]:
    """Return a hash of each id [n], the same within one process."""
    return np.fromiter(map(hash, events.event_id.tolist()), dtype=np.int64, count=len(events))


def iso_day(ms: int) -> str:
    """Return the UTC date of epoch ms."""
    return datetime.fromtimestamp(ms / 1000, UTC).date().isoformat()
