"""Cores whose every output depends on all input before it, and what an unbroken run of them gives."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams import topics
from streams.engine.core import Output, dead_letter
from streams.kafka.records import Produce, Record


class RunningCount:
    """The n-th record of a partition gives ``value=n``. ``fail_at``: raise there."""

    def __init__(self, source: str, target: str) -> None:
        self.name = f"count-{source}"
        self.inputs: tuple[str, ...] = (source,)
        self.outputs: tuple[str, ...] = (target, topics.DLQ)
        self.replays: tuple[str, ...] = (source,)
        self._target = target
        self.seen: dict[int, int] = {}
        self.fail_at: int | None = None
        self.restored = 0

    def process(self, records: Sequence[Record]) -> Output:
        output = Output()
        for record in records:
            if record.value is None or record.value.startswith(b"bad"):
                output.produce.append(dead_letter(record, self.name, ValueError("bad on purpose")))
                continue
            n = self.seen[record.partition] = self.seen.get(record.partition, 0) + 1
            if self.fail_at is not None and n >= self.fail_at:
                raise RuntimeError("failed on purpose, in the middle of a batch")
            output.produce.append(Produce(self._target, record.key, f"{record.value!r}={n}".encode(), record.partition))
        return output

    def restore(self, records: Sequence[Record]) -> None:
        self.restored += len(records)
        for record in records:
            if record.value is not None and not record.value.startswith(b"bad"):
                self.seen[record.partition] = self.seen.get(record.partition, 0) + 1

    def forget(self, partitions: Sequence[tuple[str, int]]) -> None:
        for _, partition in partitions:
            self.seen.pop(partition, None)


class Held(RunningCount):
    """Takes a batch and does not come back until it is let ``go_on``."""

    def __init__(self, source: str, target: str) -> None:
        super().__init__(source, target)
        self.taken = threading.Event()
        self.go_on = threading.Event()
        self.batches: list[int] = []

    def process(self, records: Sequence[Record]) -> Output:
        self.batches.append(len(records))
        self.taken.set()
        assert self.go_on.wait(60)
        return super().process(records)


class Copied:
    """A copy that needs one step."""

    def __init__(self, count: int) -> None:
        self.done = False
        self._count = count

    def step(self) -> None:
        self.done = True

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"count": np.array([self._count])}


class SnapshottedCount(RunningCount):
    """The same with snapshots. ``late``: the partitions whose beginning was lost."""

    state_version = "1"

    def __init__(self, source: str, target: str) -> None:
        super().__init__(source, target)
        self.late: list[int] = []

    def copy(self, partition: int) -> Copied:
        return Copied(self.seen.get(partition, 0))

    def load(self, partition: int, arrays: dict[str, NDArray[Any]]) -> None:
        self.seen[partition] = int(arrays["count"][0])

    def begins_late(self, partition: int) -> None:
        self.late.append(partition)


def expected(values: Sequence[bytes]) -> list[bytes]:
    """What a run without a break gives of values that were sent by ``send``, sorted."""
    counts = [0, 0]
    out = []
    for i, value in enumerate(values):
        counts[i % 2] += 1
        out.append(f"{value!r}={counts[i % 2]}".encode())
    return sorted(out)
