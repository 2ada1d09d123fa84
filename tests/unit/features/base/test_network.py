"""Addresses of servers: loopback by default, and what is refused beyond it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from features.base.network import is_loopback
from features.base.settings import FILE_NAME, Settings, SettingsError, load
from infra.cli import main


def given(folder: Path, text: str) -> Settings:
    (folder / FILE_NAME).write_text(text)
    return load(folder)


PORTS = "[ports]\nkafka = 1\nkafka_internal = 2\nredis = 3\nrest = 4\ngrpc = 5\ncontrol = 6\n[ports.metrics]\nscorer = 7\n"


def test_all_is_on_loopback_unless_said_otherwise(tmp_path: Path) -> None:
    settings = given(tmp_path, PORTS)
    assert set(settings.network.bind.model_dump().values()) == {"127.0.0.1"}
    assert settings.bootstrap == "127.0.0.1:1"
    assert settings.redis_address == "127.0.0.1:3"
    assert (settings.rest_url, settings.grpc_address) == ("http://127.0.0.1:4", "127.0.0.1:5")
    assert settings.control_url == "http://127.0.0.1:6/status"
    assert settings.metrics_url("scorer") == "http://127.0.0.1:7/metrics"
    assert settings.model_authority is None


HOSTS = """
secure = true
[network]
allow_unprotected = ["redis"]
[network.hosts]
kafka = "kafka.internal"
redis = "10.0.0.2"
model_server = "10.0.0.3"
control = "10.0.0.4"
metrics = { scorer = "10.0.0.5" }
[network.tls]
authority = "secrets/ca.pem"
"""


def test_clients_look_where_the_settings_say(tmp_path: Path) -> None:
    settings = given(tmp_path, HOSTS + PORTS)
    assert settings.bootstrap == "kafka.internal:1"
    assert settings.as_user("admin").bootstrap == "127.0.0.1:2"
    assert settings.redis_connection == "10.0.0.2:3,password=${DRIFTLOOP_REDIS_PASSWORD}"
    assert (settings.rest_url, settings.grpc_address) == ("https://10.0.0.3:4", "10.0.0.3:5")
    assert settings.control_url == "http://10.0.0.4:6/status"
    assert settings.metrics_url("scorer") == "http://10.0.0.5:7/metrics"
    assert settings.model_authority == tmp_path / "secrets" / "ca.pem"


def test_a_server_is_looked_for_where_it_listens(tmp_path: Path) -> None:
    settings = given(tmp_path, '[network.bind]\nkafka = "127.0.0.2"\nmetrics = "127.0.0.3"\ncontrol = "localhost"\n' + PORTS)
    assert settings.bootstrap == "127.0.0.2:1"
    assert settings.metrics_url("scorer") == "http://127.0.0.3:7/metrics"
    assert settings.control_url == "http://localhost:6/status"
    everywhere = given(tmp_path, '[network]\nallow_unprotected = ["control"]\nbind = { control = "0.0.0.0" }\n' + PORTS)
    assert everywhere.control_url == "http://127.0.0.1:6/status"


ALLOW = "[network]\nallow_unprotected = "
PEM = '[network.tls]\ncertificate = "m.pem"\nauthority = "ca.pem"\n'
SECURE = "secure = true\n"


@pytest.mark.parametrize("address", ["10.0.0.1", "0.0.0.0", "db.internal"])
@pytest.mark.parametrize(
    ("server", "before", "lack", "way_out"),
    [
        ("kafka", "", "the broker would ask nobody for a name", "secure = true"),
        ("redis", "", "Redis would ask nobody for a password", "secure = true"),
        ("redis", ALLOW + '["redis"]\n', "Redis would ask nobody for a password", "secure = true"),
        ("redis", SECURE, "Redis's password and rows would cross the network in clear text", 'add "redis" to'),
        ("model_server", SECURE, "token would cross the network in clear text", "set network.tls.certificate, or add"),
        ("model_server", '[network.tls]\nauthority = "ca.pem"\n', "in clear text", "set network.tls.certificate, or add"),
        ("metrics", SECURE + PEM, "the metrics page asks nobody for a name", 'add "metrics" to network.allow_unprotected'),
        ("control", SECURE + PEM, "control asks nobody for a name", 'add "control" to network.allow_unprotected'),
    ],
)
def test_what_protects_nothing_stays_on_loopback(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    server: str,
    before: str,
    lack: str,
    way_out: str,
    address: str,
) -> None:
    monkeypatch.setenv("DRIFTLOOP_DIR", "")
    (tmp_path / FILE_NAME).write_text(f'{before}[network.bind]\n{server} = "{address}"\n')
    assert main.run(["--dir", str(tmp_path), "run", "scorer"]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert f"network.bind.{server} is {address}, beyond loopback, and " in message
    assert lack in message
    assert way_out in message


@pytest.mark.parametrize(
    ("server", "before"),
    [
        ("kafka", SECURE),
        ("kafka", 'bootstrap_servers = "kafka.example:9092"\n'),
        ("redis", SECURE + ALLOW + '["redis"]\n'),
        ("redis", '[feast]\nredis = "redis.example:6379"\n'),
        ("model_server", PEM),
        ("model_server", ALLOW + '["model_server"]\n'),
        ("metrics", ALLOW + '["metrics"]\n'),
        ("control", ALLOW + '["control"]\n'),
    ],
)
def test_what_is_protected_may_be_reached(tmp_path: Path, server: str, before: str) -> None:
    settings = given(tmp_path, f'{before}[network.bind]\n{server} = "10.0.0.1"\n')
    assert getattr(settings.network.bind, server) == "10.0.0.1"


@pytest.mark.parametrize(("server", "lack"), [("kafka", "nobody"), ("redis", "nobody"), ("model_server", "clear text")])
def test_no_secret_leaves_for_a_host_in_clear_text(tmp_path: Path, server: str, lack: str) -> None:
    with pytest.raises(SettingsError, match=rf"network\.hosts\.{server} is 10\.0\.0\.1, beyond loopback, and .*{lack}"):
        given(tmp_path, f'[network.hosts]\n{server} = "10.0.0.1"\n')


def test_pages_elsewhere_may_be_read(tmp_path: Path) -> None:
    given(tmp_path, '[network.hosts]\ncontrol = "10.0.0.1"\nmetrics = { scorer = "10.0.0.2" }\n')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('secure = true\n[network.bind]\nkafka = "0.0.0.0"\n', r"set network\.hosts\.kafka"),
        ('[network.bind]\nkafka = "::1"\n', r"network\.bind\.kafka is '::1'; write an IPv4 address or a host name"),
        ('[network.bind]\nkafka = ""\n', r"network\.bind\.kafka is ''; write an IPv4 address"),
        ('[network.tls]\nkey = "k.pem"\n', r"network\.tls\.key is set and network\.tls\.certificate is empty"),
        ('[network.tls]\ncertificate = "m.pem"\n', r"network\.tls\.authority is empty; name the authority"),
        (
            '[network]\nallow_unprotected = ["kafka"]\n',
            r"network\.allow_unprotected is 'kafka'; write redis, model_server, metrics or control",
        ),
    ],
)
def test_addresses_that_cannot_be_meant(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        given(tmp_path, text)


def test_the_environment_names_addresses_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLOOP_NETWORK__BIND__METRICS", "127.0.0.9")
    assert load(tmp_path).network.bind.metrics == "127.0.0.9"
    monkeypatch.setenv("DRIFTLOOP_NETWORK__BIND__METRICS", "10.0.0.9")
    with pytest.raises(SettingsError, match=r"network\.bind\.metrics is 10\.0\.0\.9, beyond loopback"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("host", "stays"), [("127.0.0.1", True), ("127.8.8.8", True), ("localhost", True), ("0.0.0.0", False), ("box", False)]
)
def test_loopback_is_known(host: str, stays: bool) -> None:
    assert is_loopback(host) is stays


#: One file for three hosts, and what each has in its environment.
EXAMPLE = Path(__file__).parents[4] / "docs" / "apart.md"


def test_the_example_in_the_docs_is_taken_on_each_of_its_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = EXAMPLE.read_text()
    (tmp_path / FILE_NAME).write_text(text.partition("```toml\n")[2].partition("```")[0])
    rows = re.findall(r"^\| (10\.0\.0\.\d) \| (.*?) \| `driftloop (?:up|run)", text, re.MULTILINE)
    assert [host for host, _ in rows] == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    for host, variables in rows:
        with monkeypatch.context() as environment:
            for name, value in re.findall(r"`(DRIFTLOOP_\w+)=(\S+)`", variables):
                environment.setenv(name, value)
            settings = load(tmp_path)
        assert host in settings.network.bind.model_dump().values()
        assert (settings.bootstrap, settings.redis_address) == ("10.0.0.1:9092", "10.0.0.1:6379")
        assert (settings.rest_url, settings.grpc_address) == ("https://10.0.0.2:8080", "10.0.0.2:8081")
        assert settings.metrics_url("scorer") == "http://10.0.0.3:9101/metrics"
