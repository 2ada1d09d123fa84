"""What Faust must know to reach a broker that asks who we are: librdkafka's settings in Faust's words."""

from __future__ import annotations

import ssl

from faust.auth import Credentials, SASLCredentials, SSLCredentials

from features.base.kafka_options import client
from features.base.settings import Settings, SettingsError

_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_KNOWN = frozenset(
    {
        "sasl.mechanism",
        "sasl.mechanisms",
        "sasl.username",
        "sasl.password",
        "ssl.ca.location",
        "ssl.certificate.location",
        "ssl.key.location",
        "ssl.key.password",
        "ssl.endpoint.identification.algorithm",
        "enable.ssl.certificate.verification",
    }
)


def credentials(settings: Settings) -> Credentials | None:
    """Return the ``broker_credentials`` of the app; None for a broker that asks for nothing.

    Raises SettingsError for a setting of librdkafka about passwords or certificates that Faust has no word for.
    """
    given = client(settings)
    for name in given:
        if name.startswith(("sasl.", "ssl.")) and name not in _KNOWN:
            raise SettingsError(f"kafka.{name}: control cannot take it, it knows {', '.join(sorted(_KNOWN))}")
    protocol = given.get("security.protocol", "plaintext").lower()
    if protocol == "plaintext":
        return None
    if protocol == "ssl":
        return SSLCredentials(_context(given))
    if protocol not in {"sasl_plaintext", "sasl_ssl"}:
        raise SettingsError(f"kafka.security.protocol is {protocol}; write plaintext, ssl, sasl_plaintext or sasl_ssl")
    mechanism = given.get("sasl.mechanism", given.get("sasl.mechanisms", "PLAIN"))
    if mechanism not in _MECHANISMS:
        raise SettingsError(f"kafka.sasl.mechanism is {mechanism}; control knows {', '.join(_MECHANISMS)}")
    return SASLCredentials(
        username=given.get("sasl.username", ""),
        password=given.get("sasl.password", ""),
        mechanism=mechanism,
        ssl_context=_context(given) if protocol == "sasl_ssl" else None,
    )


def _context(given: dict[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=given.get("ssl.ca.location"))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"kafka.ssl.ca.location: {given['ssl.ca.location']} is no certificate that can be read") from error
    if given.get("ssl.endpoint.identification.algorithm", "https").lower() == "none":
        context.check_hostname = False
    if given.get("enable.ssl.certificate.verification", "true").lower() == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate = given.get("ssl.certificate.location")
    if certificate:
        try:
            context.load_cert_chain(certificate, given.get("ssl.key.location"), given.get("ssl.key.password"))
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"kafka.ssl.certificate.location: {certificate} and its key cannot be used") from error
    return context
