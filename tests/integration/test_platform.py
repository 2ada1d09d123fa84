"""The platform itself, with the two components that need nothing of ours: up, twice, side by side, killed, failing, down."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer
from redis import Redis

from features.base.settings import Settings, load
from infra.cli import main
from infra.errors import ComponentFailed, PlatformError
from infra.platform import leftovers, ports, supervisor
from infra.platform import up_down as local
from infra.platform.status import status
from infra.services import kafka_broker
from streams.topics import all_topics

pytestmark = pytest.mark.integration

SERVICES = frozenset({"kafka", "redis"})


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in which a test may start a platform; nothing of it is left afterwards, whatever the test did."""
    yield tmp_path
    settings = load(tmp_path)
    local.down(settings)
    assert leftovers.find(settings) == []


def _pids(settings: Settings) -> dict[str, int]:
    return {name: process.pid for name, process in supervisor.processes(settings).items() if process.pid}


def _write(settings: Settings, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": settings.bootstrap, "acks": "all"})
    producer.produce("model-events", value)
    assert producer.flush(20) == 0
    with Redis(port=settings.ports.redis) as client:
        client.set("key", value)


def _read(settings: Settings) -> tuple[bytes | None, bytes | None]:
    consumer = Consumer({"bootstrap.servers": settings.bootstrap, "group.id": "test", "auto.offset.reset": "earliest"})
    consumer.subscribe(["model-events"])
    try:
        message = consumer.poll(30)
    finally:
        consumer.close()
    with Redis(port=settings.ports.redis) as client:
        return message.value() if message else None, client.get("key")


def _silence(*pids: int) -> None:
    victims = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            victims.append(psutil.Process(pid))
    for victim in victims:
        victim.kill()
    psutil.wait_procs(victims, timeout=10)


def test_the_life_of_a_platform(folder: Path) -> None:
    settings = local.up(load(folder), only=SERVICES)
    first = _pids(settings)
    assert first.keys() == SERVICES

    # A second up changes nothing.
    steps: list[tuple[str, str]] = []
    assert local.up(load(folder), only=SERVICES, progress=lambda what, how, _: steps.append((what, how))) == settings
    assert _pids(settings) == first
    assert sorted(steps) == [("kafka", "was healthy already"), ("redis", "was healthy already")]

    # Everything is killed, supervisor first so that it restarts nothing: the data is there after the next up.
    _write(settings, b"before")
    _silence(supervisor.pid(settings), *first.values())
    assert not supervisor.running(settings)
    local.up(load(folder), only=SERVICES)
    assert not set(_pids(settings).values()) & set(first.values())
    assert _read(settings) == (b"before", b"before")

    # Only supervisor is killed: what it left behind is ended before the new ones start on the same ports.
    _silence(supervisor.pid(settings))
    local.up(load(folder), only=SERVICES)
    assert len(leftovers.find(settings)) == 1 + len(SERVICES)

    # A component is killed: it comes back by itself.
    before = _pids(settings)["redis"]
    _silence(before)
    local.up(load(folder), only=SERVICES)
    assert _pids(settings)["redis"] != before

    local.down(settings)
    assert leftovers.find(settings) == []
    assert not supervisor.socket_path(settings).exists()
    assert not (folder / "run").exists()
    assert all(ports.is_free(port) for port in (settings.ports.kafka, settings.ports.redis))
    local.down(settings)  # a second one, too, does no harm


def test_two_platforms_side_by_side(platform: Settings, folder: Path) -> None:
    other = local.up(load(folder), only=SERVICES)
    assert not {platform.ports.kafka, platform.ports.redis} & {other.ports.kafka, other.ports.redis}
    _write(other, b"the other's")
    with Redis(port=platform.ports.redis) as client:
        assert client.get("key") is None
    local.down(other)
    assert _pids(platform).keys() == SERVICES


def test_status_tells_a_program_what_it_needs(platform: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DRIFTLOOP_DIR", "")
        assert main.run(["--dir", str(platform.dir), "status", "--json"]) == 1  # our own processes do not run here
    report = json.loads(capsys.readouterr().out)
    assert report["state"] == "partly up"
    by_name = {component["name"]: component for component in report["components"]}
    assert {name for name, component in by_name.items() if component["health"] == "healthy"} == SERVICES
    broker = by_name["kafka"]
    assert psutil.pid_exists(broker["pid"])
    assert broker["ports"]["broker"] == platform.ports.kafka
    assert broker["uptime_s"] > 0
    assert broker["rss_mb"] > 50
    assert by_name["scorer"]["health"] == "stopped"
    assert report["addresses"]["bootstrap_servers"] == platform.bootstrap
    token = Path(report["addresses"]["token_file"])
    assert stat.S_IMODE(token.stat().st_mode) == 0o600


def test_lag_is_what_a_group_has_not_read_yet(platform: Settings) -> None:
    producer = Producer({"bootstrap.servers": platform.bootstrap})
    for _ in range(5):
        producer.produce("drift-reports", b"{}")
    assert producer.flush(20) == 0
    consumer = Consumer(
        {
            "bootstrap.servers": platform.bootstrap,
            "group.id": "lag-test",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe(["drift-reports"])
    message = consumer.poll(30)
    consumer.commit(message=message, asynchronous=False)
    consumer.close()
    lag = status(platform)["lag"]
    assert lag is not None
    assert lag["lag-test"]["drift-reports"] >= 4


def test_kafka_formats_its_folder_for_the_level_that_we_know(platform: Settings) -> None:
    assert kafka_broker.metadata_level(platform.dir / "kafka" / "log") == kafka_broker.LEVEL


def test_topics_are_created_as_they_are_written_down(platform: Settings) -> None:
    admin = Producer({"bootstrap.servers": platform.bootstrap})
    existing = admin.list_topics(timeout=10).topics
    for topic in all_topics(platform.partitions):
        assert len(existing[topic.name].partitions) == topic.partitions


def test_a_port_that_someone_else_took_is_named(folder: Path) -> None:
    settings = local.up(load(folder), only={"redis"})
    local.down(settings)
    with socket.create_server(("127.0.0.1", settings.ports.redis)):
        error = f"redis cannot listen on its redis port 127.0.0.1:{settings.ports.redis}: .* change the port in .*driftloop.toml"
        with pytest.raises(PlatformError, match=error):
            local.up(load(folder), only={"redis"})
    local.up(load(folder), only={"redis"})


def test_a_component_that_fails_is_named_with_its_reason_and_its_last_words(folder: Path) -> None:
    settings = local.up(load(folder), only={"redis"})
    local.down(settings)
    for damaged in (folder / "redis").rglob("*.aof*"):
        damaged.write_bytes(b"not an append-only file")
    with pytest.raises(ComponentFailed) as failed:
        local.up(load(folder), only={"redis"})
    assert failed.value.component == "redis"
    assert "Bad file format reading the append only file" in str(failed.value)
    assert str(folder / "logs" / "redis.log") in str(failed.value)
    assert failed.value.exit_code == 1


def test_a_setting_that_cannot_be_used_is_told_at_once_with_its_exit_code(folder: Path) -> None:
    (folder / "driftloop.toml").write_text('[snapshots]\npath = "github://here"\n')
    with pytest.raises(ComponentFailed) as failed:
        local.up(load(folder), only={"kafka", "redis", "scorer"})
    assert "scorer ended with exit code 2" in str(failed.value)
    assert "snapshots.path cannot be used" in str(failed.value)
    # Mended while it waits for its next try.
    (folder / "driftloop.toml").write_text((folder / "driftloop.toml").read_text().replace("github://here", "snapshots"))
    settings = local.up(load(folder), only={"scorer"})
    assert supervisor.processes(settings)["scorer"].state in {"STARTING", "RUNNING"}


def test_a_folder_too_deep_for_a_socket(folder: Path) -> None:
    deep = folder / ("deep" * 25)
    settings = local.up(load(deep), only={"redis"})
    try:
        parent = supervisor.socket_path(settings).parent
        assert not parent.is_relative_to(folder)
        assert stat.S_IMODE(parent.stat().st_mode) == 0o700
        assert parent.stat().st_uid == os.getuid()
    finally:
        local.down(settings)
    assert not parent.exists()
