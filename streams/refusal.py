"""When the broker refuses us, or we the broker: one clear sentence and an end, where librdkafka would try again for ever."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient

from features.kafka_client import client, encrypted
from features.settings import Settings, SettingsError

_WRONG_NAME = frozenset({KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED})
_NO_RIGHT = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "this topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "this consumer group",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "this transactional id",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "the cluster's settings",
}
#: A refusal is known after one round of greetings; a broker that is away is the caller's to tell.
_LOOK_S = 0.5


class Refused(SettingsError):
    """The broker refuses our user, or we its certificate; the message names the user and the way out."""


def refused(settings: Settings, error: KafkaError, what: str = "") -> Refused | None:
    """``error`` as a clear one where it is a refusal, else None. ``what``: the topic or group that it is about."""
    name = client(settings).get("sasl.username") or settings.user
    code = error.code()
    if code in _WRONG_NAME:
        return Refused(
            f"Kafka at {settings.bootstrap} refuses the user {name}: no such user, or a wrong password; see where kafka.sasl.password"
            f" comes from (docs/security.md)"
        )
    if code in _NO_RIGHT:
        return Refused(
            f"the Kafka user {name} has no right to {what or _NO_RIGHT[code]}; docs/security.md lists who may do what:"
            f" choose another user (DRIFTLOOP_KAFKA_USER), or give it the right"
        )
    if code == KafkaError._SSL and "certificate verify failed" in error.str():
        return Refused(
            f"the certificate of Kafka at {settings.bootstrap} is not from an authority that we trust; set kafka.ssl.ca.location"
            f" to the certificate of the broker's authority (docs/security.md)"
        )
    return None


def listening(settings: Settings) -> dict[str, Callable[[KafkaError], None]]:
    """The client setting by which a refusal is raised from ``poll``, ``consume`` and ``flush``; none where nothing is asked for."""
    if not encrypted(settings):
        return {}

    def heard(error: KafkaError) -> None:
        found = refused(settings, error)
        if found is not None:
            raise found

    return {"error_cb": heard}


def check(settings: Settings, reads: Iterable[str] = (), writes: Iterable[str] = (), timeout_s: float = 10.0) -> None:
    """Greet the broker as our user, and ask whether it may read and write these topics. Raises Refused.

    Says nothing of a broker that does not answer, nor of one that asks for nothing.
    """
    if not encrypted(settings):
        return
    heard: list[KafkaError] = []
    admin = AdminClient({**client(settings), "error_cb": heard.append, "log_level": 0})
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            admin.list_topics(timeout=_LOOK_S)
            break
        except KafkaException:
            admin.poll(0)
            for error in heard:
                found = refused(settings, error)
                if found is not None:
                    raise found from None
            if time.monotonic() > deadline:
                return
    wanted = [(topic, AclOperation.READ, "read") for topic in reads] + [(topic, AclOperation.WRITE, "write") for topic in writes]
    if wanted:
        _rights(settings, admin, wanted, timeout_s)


def _rights(settings: Settings, admin: AdminClient, wanted: list[tuple[str, AclOperation, str]], timeout_s: float) -> None:
    names = sorted({topic for topic, _, _ in wanted})
    asked = admin.describe_topics(TopicCollection(names), include_authorized_operations=True, request_timeout=timeout_s)
    for topic, operation, verb in wanted:
        try:
            held = asked[topic].result().authorized_operations
        except KafkaException as error:
            found = refused(settings, error.args[0], f"{verb} the topic {topic}")
            if found is not None:
                raise found from None
            continue  # a topic that is not there is no question of rights
        if held is not None and operation not in held:
            denied = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
            found = refused(settings, denied, f"{verb} the topic {topic}")
            assert found is not None
            raise found
