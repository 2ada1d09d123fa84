"""The limit: an exactly-once hop that does nothing. ``python -m benchmarks.streams.passthrough FROM TO MAX_BATCH`` until SIGTERM.

The same clients, with the same settings, as the scorer has; batches are taken as ``streams.engine.shell`` takes them. Settings of
the producer may follow, each as NAME=VALUE.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Mapping

from confluent_kafka import TopicPartition

from features.base.settings import Settings, load
from streams.kafka.clients import consumer, producer

_CALL_S = 10.0


def main(arguments: list[str]) -> int:
    """0 after SIGTERM. The platform is that of DRIFTLOOP_DIR."""
    source, target, most, *changes = arguments
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    hop(load(), source, target, int(most), stop, dict(change.split("=", 1) for change in changes))
    return 0


def hop(
    settings: Settings, source: str, target: str, max_batch: int, stop: threading.Event, changes: Mapping[str, str] | None = None
) -> None:
    """Copy value and key of every record of ``source`` to ``target``, as the group ``hop-SOURCE``, until ``stop``; ``changes``
    to the producer's settings."""
    group = f"hop-{source}"
    reader = consumer(settings, group, **{"partition.assignment.strategy": "cooperative-sticky"})
    writer = producer(settings, transactional_id=group, **(changes or {}))
    writer.init_transactions(_CALL_S)
    reader.subscribe([source])
    linger_s = settings.scoring.linger_ms / 1000
    while not stop.is_set():
        messages = reader.consume(1, 0.05)
        if messages and messages[0].error() is None:
            messages += reader.consume(max_batch - 1, linger_s)
        next_offsets: dict[int, int] = {}
        writing = False
        for message in messages:
            if message.error() is not None:
                continue
            if not writing:
                writer.begin_transaction()
                writing = True
            writer.produce(target, message.value(), message.key())
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            next_offsets[partition] = offset + 1
        if writing:
            offsets = [TopicPartition(source, partition, offset) for partition, offset in next_offsets.items()]
            writer.send_offsets_to_transaction(offsets, reader.consumer_group_metadata(), _CALL_S)
            writer.commit_transaction(_CALL_S)
    reader.close()
    writer.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
