"""When the broker refuses us, or we the broker: one clear sentence and an end, where librdkafka would try again for ever."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import KafkaError

from features.base.kafka_options import client, encrypted
from features.base.settings import Settings, SettingsError

_WRONG_NAME = frozenset({KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED})
_NO_RIGHT = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "this topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "this consumer group",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "this transactional id",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "the cluster's settings",
}


class Refused(SettingsError):
    """The broker refuses our user, or we its certificate; the message names the user and the way out."""


def refused(settings: Settings, error: KafkaError, what: str = "") -> Refused | None:
    """Return ``error`` as a clear one where it is a refusal, else None. ``what``: the topic or group that it is about."""
    name = client(settings).get("sasl.username") or settings.user
    code = error.code()
    if code in _WRONG_NAME:
        return Refused(
            f"Kafka at {settings.bootstrap} refuses the user {name}: no such user, or a wrong password;"
            f" see where kafka.sasl.password comes from (docs/security.md)"
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
    """Return a consumer's setting by which a refusal is raised from ``poll`` and ``consume``; none without any security.

    Not for producers: their reports of deliveries come in the same call, and must not find an exception there.
    """
    if not encrypted(settings):
        return {}

    def heard(error: KafkaError) -> None:
        refusal = refused(settings, error)
        if refusal is not None:
            raise refusal

    return {"error_cb": heard}
