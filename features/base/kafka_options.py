"""What a Kafka client is told, in librdkafka's names: who it is, how it proves it, and whom it trusts.

``settings.kafka`` goes to every client. In its values ``{user}`` is the name of the client's user (``settings.user``), so that
each processor can have one of its own; ``file:PATH`` stands for the content of a file, relative to the platform's folder, and
``env:NAME`` for an environment variable::

    [kafka]
    "security.protocol" = "sasl_ssl"
    "sasl.mechanism" = "SCRAM-SHA-512"
    "sasl.username" = "{user}"
    "sasl.password" = "file:/run/secrets/kafka/{user}"
    "ssl.ca.location" = "/etc/ssl/kafka-ca.pem"
"""

from __future__ import annotations

from features.base.secret_values import resolve
from features.base.settings import ADMIN, Settings


def client(settings: Settings) -> dict[str, str]:
    """Return the settings of any client for ``settings.user``, secrets in place: not for printing.

    Raises SettingsError where a file or a variable that they name is not there.
    """
    given = {**(_own(settings) if settings.secure_broker else {}), **settings.kafka}
    options = {name: _value(settings, name, value) for name, value in given.items()}
    return {**options, "bootstrap.servers": settings.bootstrap}


def encrypted(settings: Settings) -> bool:
    """Tell whether client or broker may refuse the other for its credentials: anything but plain text without a name."""
    protocol = client(settings).get("security.protocol", "plaintext")
    return protocol.lower() != "plaintext"


def _own(settings: Settings) -> dict[str, str]:
    secrets = settings.secrets
    authority = {"ssl.ca.location": str(secrets / "ca.pem")}
    if settings.user == ADMIN:
        pem = str(secrets / "admin.pem")
        return authority | {"security.protocol": "ssl", "ssl.certificate.location": pem, "ssl.key.location": pem}
    return authority | {
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "{user}",
        "sasl.password": f"file:{secrets / 'kafka' / '{user}'}",
    }


def _value(settings: Settings, name: str, value: str) -> str:
    value = value.replace("{user}", settings.user)
    return resolve(settings, f"kafka.{name}", value, f"Kafka user {settings.user}")
