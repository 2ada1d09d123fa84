"""Writes events and waits until the broker has them."""

from __future__ import annotations

import asyncio
import time
import uuid

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from features.base.events import ModelEvent, RetrainRequest
from features.base.settings import Settings
from retrain.control.announced import Announced
from streams import topics
from streams.kafka.clients import consumer, producer
from streams.kafka.records import Produce

#: Long enough for a broker that restarts; a step that cannot be published is tried again at the next turn.
ACK_S = 30.0

_encode = msgspec.json.Encoder().encode


class NotPublished(Exception):
    """The broker did not acknowledge a record in time."""


class Publisher:
    """Acknowledged writes to ``model-events``, ``retrain-requests`` and ``dlq``."""

    def __init__(self, settings: Settings, announced: Announced) -> None:
        self._announced = announced
        self._producer: Producer = producer(settings)

    async def event(self, event: ModelEvent) -> None:
        """Publish a model event, once: one that the log holds already is not repeated. Raises NotPublished."""
        if self._announced.published(event):
            return
        await self.record(Produce(topics.MODEL_EVENTS, event.model.encode(), _encode(event)))
        self._announced.take(event)

    async def request(self, request: RetrainRequest) -> None:
        """Ask for a run as anybody else would. Raises NotPublished."""
        await self.record(Produce(topics.RETRAIN_REQUESTS, request.model.encode(), _encode(request)))

    async def record(self, item: Produce) -> None:
        """Publish one record. Raises NotPublished."""
        await asyncio.get_running_loop().run_in_executor(None, self._send, item)

    def _send(self, item: Produce) -> None:
        failures: list[KafkaError] = []

        def done(error: KafkaError | None, _: object) -> None:
            if error is not None:
                failures.append(error)

        self._producer.produce(item.topic, item.value, item.key, on_delivery=done)
        if self._producer.flush(ACK_S) > 0:
            raise NotPublished(f"{item.topic}: no acknowledgement within {ACK_S:.0f} s")
        if failures:
            raise NotPublished(f"{item.topic}: {failures[0]}")


def read_announced(settings: Settings, model: str) -> Announced:
    """Read all of ``model-events`` (a few records a day). Raises KafkaException where the broker fails."""
    announced = Announced(model)
    decode = msgspec.json.Decoder(ModelEvent).decode
    reader = consumer(settings, f"driftloop-announced-{uuid.uuid4().hex}")
    deadline = time.monotonic() + ACK_S
    try:
        reader.assign([TopicPartition(topics.MODEL_EVENTS, 0, 0)])
        while True:
            message = reader.poll(0.5)
            if message is None:
                if time.monotonic() > deadline:
                    raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{topics.MODEL_EVENTS} could not be read to its end"))
                continue
            error = message.error()
            if error is None:
                try:
                    announced.take(decode(message.value() or b""))
                except msgspec.MsgspecError:
                    # Somebody else's record: it announces nothing.
                    continue
            elif error.code() == KafkaError._PARTITION_EOF:
                return announced
            else:
                raise KafkaException(error)
    finally:
        reader.close()
