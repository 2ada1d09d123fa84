"""How far event time has come, over all partitions of a topic."""

from __future__ import annotations

from collections.abc import Iterable

#: A partition that has shown nothing is waited for until this many records came: by then a spread key would have hit it.
WAIT_RECORDS = 20_000


class Watermark:
    """The least of the partitions' newest event times: every partition has come at least so far.

    A partition without a single record holds the watermark back only at the start (WAIT_RECORDS), so that a key space
    too small to reach every partition cannot stop the windows.
    """

    def __init__(self, partitions: int) -> None:
        self._expected = partitions
        self._newest: dict[int, int] = {}
        self._records = 0

    def see(self, partition: int, newest_ms: int, records: int) -> None:
        """``records`` came from ``partition``, the newest of them at ``newest_ms``."""
        self._newest[partition] = max(newest_ms, self._newest.get(partition, newest_ms))
        self._records += records

    def forget(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            self._newest.pop(partition, None)

    @property
    def empty(self) -> bool:
        return not self._newest

    @property
    def time_ms(self) -> int | None:
        """None as long as nothing is certain."""
        if not self._newest or (len(self._newest) < self._expected and self._records < WAIT_RECORDS):
            return None
        return min(self._newest.values())
