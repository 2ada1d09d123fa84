"""How our clients are configured. Every client is made here, so that ``settings.kafka`` reaches all of them.

What we chose gives way to what the settings say, but for what exactly-once rests on (``fixed``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from features.base.kafka_options import client
from features.base.settings import Settings, SettingsError
from streams.kafka.refusal import listening
from streams.topics import DLQ_MAX_BYTES

T = TypeVar("T")


class Producer(confluent_kafka.Producer):
    """A producer that tells a wrong setting from a broker that is away."""

    def init_transactions(self, timeout: float = -1) -> None:
        """Get ready for transactions. ``timeout``: seconds. Raises SettingsError where the broker does not take our
        transaction.timeout.ms, which a client learns only here and which a new start would meet again; else KafkaException."""
        try:
            super().init_transactions(timeout)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.INVALID_TRANSACTION_TIMEOUT:
                raise
            raise SettingsError(
                "kafka.transaction.timeout.ms (60000 where [kafka] does not set it) is more than the broker allows, which is its"
                " transaction.max.timeout.ms (900000 where that is not set); lower it in [kafka], or raise the broker's"
            ) from error


def consumer(settings: Settings, group: str, **extra: str | int | bool) -> Consumer:
    """Make a read_committed consumer that reports partition ends and never commits by itself."""
    chosen: dict[str, str | int | bool] = {
        # Short enough that a killed member's partitions move while someone still watches, long enough for a JIT pause.
        "session.timeout.ms": 10_000,
        # A restart replays the log up to the committed offset before its first poll.
        "max.poll.interval.ms": 600_000,
        "fetch.wait.max.ms": 50,
        "fetch.queue.backoff.ms": 5,
        "queued.min.messages": 50_000,
        # A broker that has just come back can say that there are no such topics. Whoever subscribes then joins its group only
        # when it asks again, and five minutes, librdkafka's default, is long. Added partitions are seen as soon.
        "topic.metadata.refresh.interval.ms": 10_000,
    }
    fixed: dict[str, Any] = {
        **listening(settings),
        "group.id": group,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
    }
    return _made(Consumer, {**chosen, **client(settings), **fixed, **extra})


def producer(settings: Settings, transactional_id: str | None = None, **extra: str | int | bool) -> Producer:
    """Make an idempotent producer, transactional where an id is given. Keys are spread as Java clients spread them."""
    chosen: dict[str, str | int | bool] = {
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "linger.ms": 2,
        "queue.buffering.max.messages": 500_000,
        "queue.buffering.max.kbytes": 262_144,
    }
    fixed: dict[str, str | int | bool] = {
        "enable.idempotence": True,
        # A dead letter may be larger than the record that it holds.
        "message.max.bytes": DLQ_MAX_BYTES,
    }
    if transactional_id is not None:
        fixed["transactional.id"] = transactional_id
        # Open transactions of a killed process hold back read_committed readers for as long as this.
        chosen["transaction.timeout.ms"] = 60_000
        # The commit sends what is there at once; waiting for more before it would only take time.
        chosen["linger.ms"] = 0
        # The broker answers a transaction's begin with "try again" until the markers of the one before are written, which takes
        # milliseconds; the client's 100 would be the hop's 95th percentile (docs/benchmarks.md).
        chosen["retry.backoff.ms"] = 10
    return _made(Producer, {**chosen, **client(settings), **fixed, **extra})


def admin(settings: Settings, logger: logging.Logger | None = None, **extra: Any) -> AdminClient:
    """Make a client for questions about topics, groups and offsets."""
    options: dict[str, Any] = {} if logger is None else {"logger": logger}
    return _made(AdminClient, {**client(settings), **extra}, **options)


def _made(kind: Callable[..., T], config: dict[str, Any], **options: Any) -> T:
    """Make a client. Raises SettingsError where librdkafka does not take the settings."""
    try:
        return kind(config, **options)
    except KafkaException as error:
        if error.args[0].code() != KafkaError._INVALID_ARG:
            raise
        raise SettingsError(f"[kafka] holds a setting that its client does not take: {error.args[0].str()}; mend it") from error
