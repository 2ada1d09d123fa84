from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from faust.auth import SASLCredentials, SSLCredentials
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from features.base.settings import Settings, SettingsError, load
from infra.security.certificates import authority, certificate
from retrain.control.faust.credentials import credentials

SASL = {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "{user}", "sasl.password": "pass"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    authority(tmp_path)
    certificate(tmp_path, "control")
    return load(tmp_path).as_user("control")


def given(settings: Settings, **kafka: str) -> Settings:
    settings.kafka = {name.replace("_", "."): value for name, value in kafka.items()}
    return settings


def test_a_broker_that_asks_for_nothing(settings: Settings) -> None:
    assert credentials(settings) is None


def test_a_name_and_a_password_over_tls(settings: Settings) -> None:
    settings.kafka = {**SASL, "security.protocol": "sasl_ssl", "ssl.ca.location": str(settings.dir / "ca.pem"), "linger.ms": "5"}
    sasl = credentials(settings)
    assert isinstance(sasl, SASLCredentials)
    options = credentials_to_aiokafka_auth(sasl)
    context = options["ssl_context"]
    assert {name: options[name] for name in options if name != "ssl_context"} == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "control",
        "sasl_plain_password": "pass",
    }
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert [dict(pair[0] for pair in authority["subject"]) for authority in context.get_ca_certs()] == [
        {"commonName": "driftloop CA"}
    ]


def test_a_password_without_tls(settings: Settings) -> None:
    settings.kafka = {**SASL, "security.protocol": "SASL_PLAINTEXT"}
    options = credentials_to_aiokafka_auth(credentials(settings))
    assert (options["security_protocol"], options["ssl_context"]) == ("SASL_PLAINTEXT", None)


def test_a_certificate_of_our_own(settings: Settings) -> None:
    pem = str(settings.dir / "control.pem")
    settings.kafka = {"security.protocol": "ssl", "ssl.certificate.location": pem, "ssl.key.location": pem}
    settings.kafka |= {"ssl.ca.location": str(settings.dir / "ca.pem"), "ssl.endpoint.identification.algorithm": "none"}
    tls = credentials(settings)
    assert isinstance(tls, SSLCredentials)
    assert (tls.context.check_hostname, tls.context.verify_mode) == (False, ssl.CERT_REQUIRED)
    settings.kafka["enable.ssl.certificate.verification"] = "false"
    unchecked = credentials(settings)
    assert isinstance(unchecked, SSLCredentials)
    assert unchecked.context.verify_mode == ssl.CERT_NONE


@pytest.mark.parametrize(
    ("kafka", "message"),
    [
        ({"security_protocol": "sasl_ssl", "sasl_mechanism": "GSSAPI"}, r"kafka\.sasl\.mechanism is GSSAPI; control knows PLAIN"),
        ({"security_protocol": "tls"}, r"kafka\.security\.protocol is tls; write plaintext"),
        ({"security_protocol": "ssl", "ssl_ca_location": "/nowhere.pem"}, r"kafka\.ssl\.ca\.location: /nowhere\.pem is no"),
        ({"security_protocol": "ssl", "ssl_crl_location": "/crl"}, r"kafka\.ssl\.crl\.location: control cannot take it"),
    ],
)
def test_what_faust_has_no_word_for_is_named(settings: Settings, kafka: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        credentials(given(settings, **kafka))
