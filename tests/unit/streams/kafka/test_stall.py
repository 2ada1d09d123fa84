"""When a quiet partition counts as stalled."""

from __future__ import annotations

from typing import cast

import pytest
from confluent_kafka import Consumer, TopicPartition

from streams.kafka.stall import LOOK_S, STALLED_S, Stalled, StallWatch

PLACE = ("t", 0)


class Ends:
    """Stands for the one question that the watch asks a consumer."""

    end = 100

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int]:
        return 0, self.end


class Clock:
    time_s = 0.0

    def __call__(self) -> float:
        return self.time_s


def after(watch: StallWatch, clock: Clock, seconds: float, position: int, ends: Ends) -> None:
    clock.time_s += seconds
    watch.look(cast(Consumer, ends), {PLACE: position})


def test_no_progress_with_records_ahead_is_a_stall_after_a_while() -> None:
    clock, ends = Clock(), Ends()
    watch = StallWatch(clock)
    after(watch, clock, LOOK_S, 50, ends)
    after(watch, clock, STALLED_S - LOOK_S / 2, 50, ends)
    with pytest.raises(Stalled, match=r"t\[0\] has records up to 100, and none came from 50 on"):
        after(watch, clock, LOOK_S, 50, ends)


def test_progress_and_the_end_are_none() -> None:
    clock, ends = Clock(), Ends()
    watch = StallWatch(clock)
    for position in range(50, 90, 2):
        after(watch, clock, LOOK_S, position, ends)
    for _ in range(20):
        after(watch, clock, LOOK_S, 100, ends)
    ends.end = 101
    after(watch, clock, LOOK_S, 100, ends)


def test_a_partition_may_wait_behind_others_in_the_queue() -> None:
    """As long as each poll is full, and after a pause, a partition of which nothing comes is no stall."""
    clock, ends = Clock(), Ends()
    watch = StallWatch(clock)
    for _ in range(20):
        clock.time_s += LOOK_S
        watch.look(cast(Consumer, ends), {PLACE: 50}, busy=True)
    after(watch, clock, LOOK_S, 50, ends)
    watch.forgive()
    after(watch, clock, 2 * STALLED_S, 50, ends)
    with pytest.raises(Stalled):
        after(watch, clock, STALLED_S, 50, ends)
