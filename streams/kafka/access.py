"""Whether the broker lets us in, asked before any work begins."""

from __future__ import annotations

import time
from collections.abc import Iterable

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient

from features.base.kafka_options import encrypted
from features.base.settings import Settings
from streams.kafka.clients import admin
from streams.kafka.refusal import refused

#: A refusal is known after one round of greetings; a broker that is away is the caller's to tell.
_LOOK_S = 0.5


def check(settings: Settings, reads: Iterable[str] = (), writes: Iterable[str] = (), timeout_s: float = 10.0) -> None:
    """Greet the broker as our user, and ask whether it may read and write these topics. Raises Refused.

    Says nothing of a broker that does not answer, nor of one that asks for nothing.
    """
    if not encrypted(settings):
        return
    heard: list[KafkaError] = []
    greeting = admin(settings, error_cb=heard.append, log_level=0)
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            greeting.list_topics(timeout=_LOOK_S)
            break
        except KafkaException:
            greeting.poll(0)
            for error in heard:
                refusal = refused(settings, error)
                if refusal is not None:
                    raise refusal from None
            away = any(error.code() == KafkaError._ALL_BROKERS_DOWN for error in heard)
            if away or time.monotonic() > deadline:
                return
    wanted = [(topic, AclOperation.READ, "read") for topic in reads] + [
        (topic, AclOperation.WRITE, "write to") for topic in writes
    ]
    if wanted:
        _rights(settings, greeting, wanted, timeout_s)


def _rights(settings: Settings, greeting: AdminClient, wanted: list[tuple[str, AclOperation, str]], timeout_s: float) -> None:
    names = sorted({topic for topic, _, _ in wanted})
    asked = greeting.describe_topics(TopicCollection(names), include_authorized_operations=True, request_timeout=timeout_s)
    for topic, operation, verb in wanted:
        try:
            held = asked[topic].result().authorized_operations
        except KafkaException as error:
            refusal = refused(settings, error.args[0], f"{verb} the topic {topic}")
            if refusal is not None:
                raise refusal from None
            continue  # a topic that is not there is no question of rights
        if held is not None and operation not in held:
            denied = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
            refusal = refused(settings, denied, f"{verb} the topic {topic}")
            assert refusal is not None
            raise refusal
