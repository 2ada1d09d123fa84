"""One partition's log: records and the markers that end transactions, as committed readers see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Headers = list[tuple[str, bytes | None]]


@dataclass(eq=False, slots=True)
class Transaction:
    """What was written under one id since its last end."""

    state: Literal["open", "committed", "aborted"] = "open"
    places: set[tuple[str, int]] = field(default_factory=set)
    #: By group and partition: offset and metadata.
    offsets: dict[tuple[str, tuple[str, int]], tuple[int, str]] = field(default_factory=dict)


@dataclass(slots=True)
class Entry:
    """What stands at one offset. ``number``: of all that the broker took, so that topics can be read in the order of arrival."""

    number: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    appended_ms: int
    transaction: Transaction | None = None
    #: The end of a transaction: no reader is handed it, and it takes an offset.
    marker: bool = False


class Log:
    """Offsets [begin, end); what lies before ``begin`` was deleted."""

    def __init__(self) -> None:
        self.begin = 0
        self._entries: list[Entry] = []
        self._stable = 0

    @property
    def end(self) -> int:
        """Return the offset that the next entry gets."""
        return len(self._entries)

    @property
    def stable(self) -> int:
        """Return up to where committed readers get: the first record of an open transaction, else the end."""
        while self._stable < self.end and not _is_open(self._entries[self._stable]):
            self._stable += 1
        return self._stable

    def append(self, entry: Entry) -> int:
        """Append ``entry``; return its offset."""
        self._entries.append(entry)
        return self.end - 1

    def trim(self, begin: int) -> None:
        """Delete what lies before ``begin``."""
        self.begin = max(self.begin, begin)

    def next(self, offset: int) -> tuple[int, Entry | None]:
        """Return the first record that a committed reader at ``offset`` is handed, and where it lies; None, and where it waits,
        where there is none yet."""
        while offset < self.end:
            entry = self._entries[offset]
            if _is_open(entry):
                break
            aborted = entry.transaction is not None and entry.transaction.state == "aborted"
            if not aborted and not entry.marker:
                return offset, entry
            offset += 1
        return offset, None


def _is_open(entry: Entry) -> bool:
    return entry.transaction is not None and entry.transaction.state == "open"
