"""One event into one topic, delivered before it returns."""

from __future__ import annotations

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message

from features.base.settings import Settings
from infra.inspect.tail import Unreachable
from streams.kafka import clients
from streams.kafka.access import check
from streams.kafka.refusal import refused


def publish(settings: Settings, topic: str, key: str, event: msgspec.Struct, timeout_s: float = 10.0) -> None:
    """Publish ``event`` as JSON. Raises Refused, and Unreachable where the broker has not taken it within ``timeout_s``."""
    check(settings, writes=(topic,))
    failed: list[KafkaError] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(error)

    producer = clients.producer(settings, None, **{"log_level": 0, "message.timeout.ms": int(timeout_s * 1000)})
    try:
        producer.produce(topic, msgspec.json.encode(event), key.encode(), on_delivery=delivered)
        left = producer.flush(timeout_s + 1)
    except KafkaException as error:
        failed.append(error.args[0])
        left = 0
    no_right = refused(settings, failed[0], f"write to the topic {topic}") if failed else None
    if no_right is not None:
        raise no_right
    if failed or left:
        why = failed[0].str() if failed else f"no answer in {timeout_s:g} s"
        raise Unreachable(f"Kafka at {settings.bootstrap} did not take the record for {topic} ({why}); see driftloop status")
