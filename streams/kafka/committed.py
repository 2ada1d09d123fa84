"""How far consumer groups have got, read from the outside: without joining them, and from a broker that has just started, too.

Each group is asked by a consumer of its own that never subscribes, so it is no member and moves nobody's partitions. The admin
client has a request for the same, but librdkafka 2.16 answers it with a segmentation fault while the groups' coordinator loads.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from features.base.settings import Settings
from streams.kafka.clients import consumer
from streams.kafka.records import Partition

#: What a broker answers in its first seconds, while it makes or loads the topic that holds the offsets.
NOT_YET = frozenset({KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.NOT_COORDINATOR})
AGAIN_S = 0.1
_MOST_AT_ONCE = 16


class Commit(NamedTuple):
    """What a group has committed for a partition: the offset of its next record, and free text."""

    offset: int
    metadata: str | None


class Committed:
    """Reads committed offsets; keeps a connection per group until ``close``. For one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._readers: dict[str, Consumer] = {}
        self._pool = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="committed")

    def read(self, wanted: Mapping[str, Iterable[Partition]], timeout_s: float) -> dict[str, dict[Partition, Commit]]:
        """Read what each group has committed for the partitions that are asked for; where it has not, the partition is left out.

        Waits for a coordinator that is not ready. Raises KafkaException where there is no answer within ``timeout_s``.
        """
        deadline = time.monotonic() + timeout_s
        for group in wanted.keys() - self._readers.keys():
            self._readers[group] = self._reader(group)
        # All at once: one after the other, seven groups take twice as long, and seven time-outs where no broker answers.
        answers = self._pool.map(lambda group: _read(self._readers[group], wanted[group], deadline), wanted)
        return dict(zip(wanted, answers, strict=True))

    def close(self) -> None:
        """Close the connections. Waits for requests under way: a consumer must not go away beneath one."""
        self._pool.shutdown()
        while self._readers:
            self._readers.popitem()[1].close()

    def __enter__(self) -> Committed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _reader(self, group: str) -> Consumer:
        # read_committed would wait for open transactions that commit offsets; what they have committed so far is the answer here.
        # A broker that is away is told by an exception, not by librdkafka's lines on standard error as well.
        extra: dict[str, str | int | bool] = {"isolation.level": "read_uncommitted", "log_level": 2}
        return consumer(self._settings, group, **extra)


def _read(reader: Consumer, wanted: Iterable[Partition], deadline: float) -> dict[Partition, Commit]:
    places = [TopicPartition(*place) for place in wanted]
    while True:
        try:
            committed = reader.committed(places, timeout=max(0.0, deadline - time.monotonic()))
        except KafkaException as error:
            if error.args[0].code() not in NOT_YET or time.monotonic() + AGAIN_S > deadline:
                raise
            time.sleep(AGAIN_S)
            continue
        return {
            (tp.topic, tp.partition): Commit(tp.offset, tp.metadata) for tp in committed if tp.offset >= 0 and tp.error is None
        }
