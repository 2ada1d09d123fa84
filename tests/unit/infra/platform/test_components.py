from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509

from features.base.network import Bind
from features.base.settings import Settings, load
from infra.errors import PlatformError
from infra.platform import components, ports, supervisor, up_down
from infra.security import secrets
from infra.services import kafka_broker, redis_server


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return ports.assign(load(tmp_path), tuple(components.PROCESSES))


def test_everything_listens_on_loopback_only(settings: Settings) -> None:
    broker = kafka_broker.properties(settings)
    listeners = broker["listeners"].split(",") + broker["advertised.listeners"].split(",")
    assert all("://127.0.0.1:" in listener for listener in listeners)
    assert "bind 127.0.0.1\n" in redis_server.configuration(settings)


def test_no_port_is_used_twice(settings: Settings) -> None:
    used = [port for part in components.ALL for port in part.ports(settings).values()]
    assert len(used) == len(set(used))
    assert 0 not in used


def test_a_broker_elsewhere_needs_none_here(settings: Settings) -> None:
    settings.bootstrap_servers = "broker.example:9092"
    assert "kafka" not in {part.name for part in components.of(settings)}


def test_an_unknown_component_is_named_with_those_there_are(settings: Settings) -> None:
    with pytest.raises(PlatformError, match="no component named zookeeper; the components here are kafka, redis, model-server"):
        up_down.up(settings, only={"kafka", "zookeeper"})


def test_a_comma_in_the_folder_is_refused_before_kafka_takes_it_for_two(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="choose another --dir"):
        kafka_broker.prepare(load(tmp_path / "a,b"))


def test_the_token_is_made_once_for_the_owner_only(settings: Settings) -> None:
    up_down.make_token(settings)
    token = settings.token_file.read_text()
    up_down.make_token(settings)
    assert settings.token_file.read_text() == token
    assert len(token) >= 32
    assert settings.token_file.stat().st_mode & 0o777 == 0o600


def test_a_secure_broker_asks_everybody_and_refuses_what_no_rule_allows(settings: Settings) -> None:
    settings.secure = True
    broker = kafka_broker.properties(settings)
    protocols = dict(pair.split(":") for pair in broker["listener.security.protocol.map"].split(","))
    assert protocols == {"CLIENTS": "SASL_SSL", "INTERNAL": "SSL", "CONTROLLER": "SSL"}
    for name in ("internal", "controller"):
        assert broker[f"listener.name.{name}.ssl.client.auth"] == "required"
    assert broker["allow.everyone.if.no.acl.found"] == "false"
    assert "127.0.0.1" in broker["listeners"]
    assert "PLAINTEXT" not in " ".join(broker.values())


def test_a_secure_platform_keeps_its_secrets_and_its_data_to_its_owner(settings: Settings) -> None:
    settings.secure = True
    secrets.prepare(settings, ["scorer"])
    redis_server.prepare(settings)
    conf = redis_server.data(settings) / "redis.conf"
    password = (settings.secrets / "redis").read_text()
    assert f"requirepass {password}\n" in conf.read_text()
    assert conf.stat().st_mode & 0o777 == 0o600
    assert len(password) >= 32
    assert (settings.secrets / "kafka" / "scorer").read_text() != password
    kept = {path: path.read_bytes() for path in settings.secrets.rglob("*") if path.is_file()}
    secrets.prepare(settings, ["scorer"])
    assert {path: path.read_bytes() for path in settings.secrets.rglob("*") if path.is_file()} == kept
    assert "umask=077" in supervisor.configuration(settings, components.ALL)


def test_servers_listen_where_the_settings_say(settings: Settings) -> None:
    settings.secure = True
    settings.network.bind = Bind(
        kafka="10.0.0.1", redis="10.0.0.2", model_server="10.0.0.3", metrics="10.0.0.4", control="10.0.0.5"
    )
    settings.network.hosts.kafka = "kafka.internal"
    ports, broker = settings.ports, kafka_broker.properties(settings)
    inside, control = f"INTERNAL://127.0.0.1:{ports.kafka_internal}", f"CONTROLLER://127.0.0.1:{ports.kafka_controller}"
    assert broker["listeners"] == f"CLIENTS://10.0.0.1:{ports.kafka},{inside},{control}"
    assert broker["advertised.listeners"] == f"CLIENTS://kafka.internal:{ports.kafka},{inside}"
    secrets.prepare(settings, [])
    assert "bind 10.0.0.2\n" in redis_server.configuration(settings)
    hosts = {
        (part.name, label): components.bind(settings, part.name, label)
        for part in components.ALL
        for label in part.ports(settings)
    }
    assert hosts == {
        ("kafka", "broker"): "10.0.0.1",
        ("kafka", "controller"): "127.0.0.1",
        ("kafka", "internal"): "127.0.0.1",
        ("redis", "redis"): "10.0.0.2",
        ("model-server", "rest"): "10.0.0.3",
        ("model-server", "grpc"): "10.0.0.3",
        ("control", "web"): "10.0.0.5",
        **{(name, "metrics"): "10.0.0.4" for name in components.PROCESSES},
    }


def test_certificates_hold_for_the_hosts_of_their_servers(settings: Settings) -> None:
    settings.network.hosts.kafka = "kafka.internal"
    settings.network.bind.model_server = "10.0.0.3"
    secrets.prepare(settings, [])
    always: set[x509.GeneralName] = {x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")}

    def places(name: str) -> set[x509.GeneralName]:
        held = x509.load_pem_x509_certificate((settings.secrets / f"{name}.pem").read_bytes())
        return set(held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)

    assert places("broker") == always | {x509.DNSName("kafka.internal")}
    assert places("model-server") == always | {x509.IPAddress(ip_address("10.0.0.3"))}
    settings.network.hosts.kafka = "10.0.0.1"
    secrets.prepare(settings, [])
    assert places("broker") == always | {x509.IPAddress(ip_address("10.0.0.1"))}


def test_a_host_with_anothers_authority_makes_no_secrets(settings: Settings) -> None:
    settings.secrets.mkdir()
    (settings.secrets / "ca.pem").write_text("of the broker's host")
    secrets.prepare(settings, ["scorer"])
    assert [path.name for path in settings.secrets.rglob("*")] == ["ca.pem"]
    assert (settings.secrets / "ca.pem").read_text() == "of the broker's host"
