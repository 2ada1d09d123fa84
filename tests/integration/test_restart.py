"""What the command line asks of a broker in its first seconds, when the coordinator of the groups is not there yet."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, TopicPartition

from features.base.settings import Settings, load
from infra.platform import leftovers, supervisor
from infra.platform import up_down as local
from infra.platform.lag import group_lags
from streams import topics
from streams.kafka.clients import consumer, producer
from streams.kafka.committed import Committed
from streams.kafka.end_offsets import Ends
from streams.publish.groups import GROUPS
from streams.publish.lockstep import Lockstep

pytestmark = pytest.mark.integration

GROUP = "control"
TOPIC = topics.RETRAIN_REQUESTS


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[Settings]:
    """A broker of one's own, started anew each time: the other tests' must not restart beneath them."""
    settings = local.up(load(folder), only={"kafka"})
    try:
        yield settings
    finally:
        local.down(settings)
        assert not leftovers.find(settings)


def publish_one(settings: Settings) -> None:
    sink = producer(settings)
    sink.produce(TOPIC, b"x")
    assert sink.flush(120) == 0


def commit(settings: Settings, offset: int) -> None:
    source = consumer(settings, GROUP)
    source.commit(offsets=[TopicPartition(TOPIC, 0, offset)], asynchronous=False)
    source.close()


def looks(settings: Settings) -> list[str]:
    with Lockstep(settings, GROUPS) as lockstep:
        return [str(reason) for reason in lockstep.waiting_for()]


def test_groups_are_read_right_after_a_start(tmp_path: Path) -> None:
    with broker(tmp_path) as settings:
        # Nobody has ever joined a group: this very request makes the broker create its offsets topic.
        assert looks(settings) == []
        assert group_lags(settings, timeout_s=20) == {}
        publish_one(settings)
        assert looks(settings) == [f"{GROUP} lags on {TOPIC}[0] by 1 (at 0 of 1)"]
        publish_one(settings)
        commit(settings, 1)

    for _ in range(2):
        with broker(tmp_path) as settings:
            assert looks(settings) == [f"{GROUP} lags on {TOPIC}[0] by 1 (at 1 of 2)"]
        with broker(tmp_path) as settings:
            assert group_lags(settings, timeout_s=20) == {GROUP: {TOPIC: 1}}


def test_no_broker_is_said_in_time(tmp_path: Path) -> None:
    nowhere = load(tmp_path).model_copy(update={"bootstrap_servers": "127.0.0.1:1"})
    started = time.monotonic()
    with pytest.raises(KafkaException):
        group_lags(nowhere, timeout_s=0.5)
    with Committed(nowhere) as committed, pytest.raises(KafkaException):
        committed.read({GROUP: [(TOPIC, 0)], "scorer": [(TOPIC, 0)]}, timeout_s=0.5)
    assert time.monotonic() - started < 5


def test_who_asks_for_ends_again_and_again_outlives_a_killed_broker(tmp_path: Path) -> None:
    """The client keeps a leader epoch that the broker refuses once it has come back."""
    with broker(tmp_path) as settings:
        ends = Ends(settings, 10.0)
        assert in_time(ends) == {(TOPIC, 0): 0}
        os.kill(supervisor.processes(settings)["kafka"].pid, signal.SIGKILL)
        in_time(ends)
        publish_one(settings)
        assert in_time(ends) == {(TOPIC, 0): 1}


def in_time(ends: Ends) -> dict[tuple[str, int], int]:
    """What they say once the broker leads its partitions."""
    deadline = time.monotonic() + 120
    while True:
        try:
            return ends.read([(TOPIC, 0)])
        except KafkaException:
            if time.monotonic() > deadline:
                raise
