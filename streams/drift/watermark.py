"""How far event time has come, over all partitions of a topic."""

from __future__ import annotations

from collections.abc import Iterable

from streams.engine.repartition_header import Copied

#: A partition that has shown nothing is waited for until this many records came: by then a spread key would have hit it.
WAIT_RECORDS = 20_000


class Watermark:
    """The least of the partitions' newest event times: every partition has come at least so far.

    A partition without a single record holds the watermark back only at the start (WAIT_RECORDS), so that a key space
    too small to reach every partition cannot stop the windows.

    After a repartition the least is another one than before. As long as there are copies only
    (``streams.engine.repartition_header``), it is not ahead of what it was then: windows beyond were not reported. Once all that
    was processed before is seen (``settle``), it is not behind it either: the windows up to there were.
    """

    def __init__(self, partitions: int) -> None:
        self._expected = partitions
        self._newest: dict[int, int] = {}
        self._records = 0
        self._copied: Copied | None = None
        self._live = False
        self._settled = False

    def note(self, copies: Iterable[Copied | None]) -> None:
        """Note what the headers of records say; None: one came by itself."""
        for copy in copies:
            if copy is None:
                self._live = True
            else:
                self._copied = copy

    @property
    def has_copies(self) -> bool:
        return self._copied is not None

    def settle(self) -> None:
        """Note that all that was processed before a restart is seen."""
        self._settled = True

    def see(self, partition: int, newest_ms: int, records: int) -> None:
        """Count ``records`` from ``partition``, the newest of them at ``newest_ms``."""
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
        """Return the watermark; None as long as nothing is certain."""
        certain = self._newest and (len(self._newest) >= self._expected or self._records >= WAIT_RECORDS)
        watermark_ms = min(self._newest.values()) if certain else None
        if self._copied is None:
            return watermark_ms
        before = self._copied.watched_ms
        if not self._live:
            watermark_ms = None if before is None or watermark_ms is None else min(watermark_ms, before)
        if self._settled and before is not None:
            return before if watermark_ms is None else max(watermark_ms, before)
        return watermark_ms
