"""When snapshots are taken, and what a partition's state begins with: its newest snapshot.

A copy is taken step by step between batches (``Copy``), one partition at a time, and written by a thread of its own. A path that
cannot be written costs nothing but the snapshot: it is counted and logged, and the stream goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import partial

from streams.engine import metrics
from streams.engine.background import Background
from streams.engine.core import Copy, Snapshotted
from streams.engine.snapshot_store import Snapshot, Store
from streams.kafka.records import Partition

log = logging.getLogger(__name__)

#: How long a partition that is given up waits for its last snapshot: a stop must end within five seconds.
_LAST_S = 3.0


class Keeper:
    """Takes, writes and finds the snapshots of one core's partitions. All methods are for the shell's thread."""

    def __init__(
        self, store: Store, name: str, core: Snapshotted, interval_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._name = name
        self._core = core
        self._interval_s = interval_s
        self._clock = clock
        self._writer = Background("snapshots")
        self._writing: Future[None] | None = None
        #: By partition: when its newest snapshot was begun, and at which offset.
        self._newest: dict[Partition, tuple[float, int]] = {}
        #: The same of the newest that is written; what failed is not.
        self._whole: dict[Partition, tuple[float, int]] = {}
        self._copying: tuple[Partition, int, float, Copy] | None = None

    def of_cluster(self, cluster: str) -> None:
        """Set whose logs they are of; before the first ``load``."""
        self._store.of_cluster(cluster)

    def load(self, partition: Partition, committed: int) -> int:
        """Give the core what the newest snapshot holds, if there is one; return the offset from which to replay."""
        snapshot: Snapshot | None = None
        try:
            snapshot = self._store.newest(*partition, self._core.state_version, committed)
        except Exception as error:  # whatever a file system raises: without snapshots there is still the log
            self._failed("read", partition, error)
        offset = 0
        if snapshot is not None:
            self._core.load(partition[1], snapshot.arrays)
            offset = snapshot.offset
            log.info("%s: %s[%d] goes on from its snapshot at %d", self._name, *partition, offset)
        clock_s = self._clock()
        self._newest[partition] = (clock_s, offset)
        at_ms = snapshot.at_ms if snapshot is not None else 0
        age_s = max(0.0, time.time() - at_ms / 1000) if at_ms else 0.0
        self._whole[partition] = (clock_s - age_s, offset)
        return offset

    def ahead(self, partition: Partition, committed: int) -> int:
        """Return the offset of the newest whole snapshot that lies beyond ``committed``; 0 where there is none, or none can be
        read."""
        try:
            return self._store.ahead(*partition, committed)
        except Exception as error:  # whatever a file system raises: it is no evidence then
            self._failed("read", partition, error)
            return 0

    def turn(self, committed: dict[Partition, int]) -> None:
        """Go on with the copy in hand, or begin one that is due, between two batches. ``committed``: where the states stand."""
        clock_s = self._clock()
        if self._copying is None:
            self._begin_due(committed, clock_s)
            return
        partition, offset, began, copy = self._copying
        if not copy.done:
            copy.step()
            metrics.SNAPSHOT_PAUSE.labels(self._name).observe(self._clock() - clock_s)
        if copy.done:
            self._copying = None
            self._writing = self._writer.submit(partial(self._write, partition, offset, began, copy))

    def last(self, partitions: dict[Partition, int]) -> None:
        """Write snapshots of what is given up in good order: whoever gets it next should not have to replay much. Waits a
        bounded time."""
        deadline = self._clock() + _LAST_S
        self.forget(partitions)
        pending = []
        for partition, offset in partitions.items():
            if offset <= self._whole.get(partition, (0.0, 0))[1] or self._clock() > deadline:
                continue
            began, copy = self._clock(), self._core.copy(partition[1])
            while not copy.done and self._clock() < deadline:
                copy.step()
            if copy.done:
                pending.append(self._writer.submit(partial(self._write, partition, offset, began, copy)))
        wait(pending, max(0.0, deadline - self._clock()))

    def forget(self, partitions: dict[Partition, int]) -> None:
        """Drop the copy in hand where it is of one of these."""
        if self._copying is not None and self._copying[0] in partitions:
            self._copying = None

    def gone(self, partitions: dict[Partition, int]) -> None:
        """Drop what is somebody else's (``forget``), and tell nothing of its snapshots any more."""
        self.forget(partitions)
        for _, number in partitions:
            for gauge in (metrics.SNAPSHOT_AGE, metrics.SNAPSHOT_BYTES):
                with suppress(KeyError):
                    gauge.remove(self._name, number)

    def close(self) -> None:
        """Write nothing more; the file in hand is finished or left out."""
        self._writer.close()

    def _begin_due(self, committed: dict[Partition, int], clock_s: float) -> None:
        if self._interval_s <= 0:
            return
        for partition in committed:
            metrics.SNAPSHOT_AGE.labels(self._name, partition[1]).set(clock_s - self._whole.get(partition, (clock_s, 0))[0])
        if self._writing is not None and not self._writing.done():
            return
        for partition, offset in committed.items():
            began, at = self._newest.get(partition, (clock_s, 0))
            if clock_s - began >= self._interval_s and offset > at:
                self._newest[partition] = (clock_s, offset)
                self._copying = (partition, offset, clock_s, self._core.copy(partition[1]))
                metrics.SNAPSHOT_PAUSE.labels(self._name).observe(self._clock() - clock_s)
                return

    def _write(self, partition: Partition, offset: int, began: float, copy: Copy) -> None:
        """Write a snapshot, in the writer's thread."""
        try:
            at_ms = int((time.time() - (self._clock() - began)) * 1000)
            written = self._store.write(*partition, Snapshot(offset, self._core.state_version, copy.arrays(), at_ms))
        except Exception as error:  # a full disk, a store that is away: the stream must go on
            self._failed("written", partition, error)
            return
        self._whole[partition] = (began, offset)
        metrics.SNAPSHOT_BYTES.labels(self._name, partition[1]).set(written)
        metrics.SNAPSHOT_SECONDS.labels(self._name).observe(self._clock() - began)
        log.info("%s: snapshot of %s[%d] at %d, %d bytes", self._name, *partition, offset, written)

    def _failed(self, what: str, partition: Partition, error: Exception) -> None:
        metrics.SNAPSHOT_FAILURES.labels(self._name).inc()
        log.error("%s: no snapshot of %s[%d] could be %s (%s); the stream goes on without", self._name, *partition, what, error)
