"""Scorer and model server on hosts of their own, broker and Redis on a third: each finds the others by its settings alone."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from features.base.events import Score
from features.base.settings import FILE_NAME, Settings, load
from features.base.web_client import open_url
from features.domains.card_fraud.event import Payment
from infra.platform import leftovers
from infra.platform import up_down as local
from retrain.control.announced import Announced
from retrain.control.rollout import Rollout
from serving.store.document import ServingDocument
from serving.store.model_store import ModelStore
from streams import topics
from streams.engine.codec import encode
from streams.kafka.clients import producer
from tests.integration.counting import committed, wait_for
from tests.integration.hosts import HERE, Hosts, hosts
from tests.unit.serving.tiny_models import make_manifest, onnx_bytes, version_folder
from tests.unit.streams.records import T0

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]
N = 200
#: Patience with a process that starts: where nothing is cached yet, its first batch is compiled.
START_S = 120.0

#: The same on each host: where everything is. What each host listens on is its own.
SHARED = """
secure = true
partitions = 2
[network]
allow_unprotected = ["redis", "metrics"]
[network.hosts]
kafka = "{here}"
redis = "{here}"
model_server = "{model-server}"
metrics = {{ scorer = "{scorer}", model-server = "{model-server}" }}
[network.tls]
authority = "secrets/ca.pem"
"""
TOKEN, AUTHORITY, REDIS, CERTIFICATE = "token", "secrets/ca.pem", "secrets/redis", "secrets/model-server.pem"


class Apart:
    """Three hosts; broker and Redis run on this one."""

    def __init__(self, folder: Path, places: Hosts) -> None:
        self.hosts = places
        self._folder = folder
        self._shared = SHARED.format(**places.addresses)
        self.settings = self._host(HERE, "kafka", "redis")

    def start(self) -> None:
        self.settings = local.up(self.settings, only={"kafka", "redis"})

    def host(self, name: str, server: str, secrets: tuple[str, ...], more: str = "") -> Settings:
        """The settings of a further host, which has its own folder and only the ``secrets`` that it needs."""
        ports = self.settings.ports.model_dump()
        metrics = "".join(f"{process} = {port}\n" for process, port in ports.pop("metrics").items())
        text = "[ports]\n" + "".join(f"{field} = {port}\n" for field, port in ports.items()) + f"[ports.metrics]\n{metrics}"
        made = self._host(name, *{server, "metrics"} - {""}, more=more + text)
        for secret in secrets:
            path = made.dir / secret
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((self.settings.dir / secret).read_bytes())
        return made

    def _host(self, name: str, *servers: str, more: str = "") -> Settings:
        folder = self._folder / name
        folder.mkdir()
        bind = "".join(f'{server} = "{self.hosts.addresses[name]}"\n' for server in servers)
        (folder / FILE_NAME).write_text(f"{self._shared}{more}[network.bind]\n{bind}")
        return load(folder)


@pytest.fixture
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Apart]:
    monkeypatch.setenv("DRIFTLOOP_REDIS_PASSWORD", "")  # `up` sets it for its children: given back afterwards
    with hosts("scorer", "model-server") as places:
        log.info("hosts: %s", places.shared or "network namespaces")
        made = Apart(tmp_path, places)
        try:
            made.start()
            yield made
        finally:
            local.down(made.settings)
            assert not leftovers.find(made.settings)


class Process:
    """``driftloop run NAME`` on its host."""

    def __init__(self, apart: Apart, settings: Settings, name: str) -> None:
        self._settings, self._name = settings, name
        self._log = settings.dir / "log"
        command = [sys.executable, "-P", "-m", "infra.cli.main", "--dir", str(settings.dir), "run", name]
        own = {key: value for key, value in os.environ.items() if not key.startswith("DRIFTLOOP_")}
        with self._log.open("wb") as file:
            self.process = subprocess.Popen(
                [*apart.hosts.inside[name], *command],
                cwd=settings.dir,
                env={**own, "PYTHONPATH": str(ROOT)},
                stdout=file,
                stderr=file,
            )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)

    def healthy(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        try:
            url = self._settings.metrics_url(self._name).replace("/metrics", "/healthz")
            with open_url(url, 5) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(30) == 0, self._log.read_text()


def test_payments_are_scored_by_a_champion_on_another_host(apart: Apart, tmp_path: Path) -> None:
    certificate = f'certificate = "{CERTIFICATE}"\n'  # the shared settings end in the table of TLS
    server = apart.host("model-server", "model_server", (TOKEN, AUTHORITY, REDIS, CERTIFICATE), certificate)
    scorer = apart.host("scorer", "", (TOKEN, AUTHORITY, REDIS, "secrets/kafka/scorer"))
    store, data = ModelStore(server.model_store), onnx_bytes()
    store.add(version_folder(tmp_path / "v1", "v1", data, make_manifest("v1", data)))
    store.write_serving(ServingDocument(generation=1, champion="v1"), 0)
    events = [Payment(f"apart-{i}", T0 + i, f"c{i % 20}", "t", 100 + i) for i in range(N)]
    with ExitStack() as running:
        processes = [running.enter_context(Process(apart, host, host.dir.name)) for host in (server, scorer)]
        for process in processes:
            wait_for(process.healthy, START_S)

        sender = producer(apart.settings.as_user("producer"))
        for event in events:
            sender.produce(topics.EVENTS, encode(event), event.subject.encode())
        assert sender.flush(30) == 0
        del sender  # it would complain of a broker that goes away
        wait_for(lambda: len(committed(apart.settings, topics.SCORES)) == N, 60)
        scores = [msgspec.json.decode(value, type=Score) for _, value in committed(apart.settings, topics.SCORES)]
        assert sorted(score.event.event_id for score in scores) == sorted(event.event_id for event in events)
        assert {score.model_version for score in scores} == {"v1"}
        assert all(score.score is not None and 0 < score.score < 1 for score in scores)

        refuses_plain_text(server)
        # As control asks, from a third host.
        assert asyncio.run(status(server)) == "v1"
        for process in processes:
            process.stop()


def test_where_namespaces_are_not_allowed_hosts_are_loopback_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ip = tmp_path / "ip"
    ip.write_text("#!/bin/sh\necho Operation not permitted >&2\nexit 1\n")
    ip.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with hosts("scorer", "model-server") as places:
        assert places.addresses == {"here": "127.0.0.2", "scorer": "127.0.0.3", "model-server": "127.0.0.4"}
        assert places.inside["scorer"] == []
        assert places.shared.endswith("Operation not permitted")


async def status(settings: Settings) -> str | None:
    rollout = Rollout(settings, Announced(settings.model))
    await rollout.look()
    await rollout.close()
    return rollout.status.champion if rollout.status else None


def refuses_plain_text(server: Settings) -> None:
    """The model server answers on its own address, with TLS, and only who has the token."""
    host = server.network.bind.model_server
    with pytest.raises(OSError, match=r"closed connection without response|reset"):
        open_url(f"http://{host}:{server.ports.rest}/healthz", 5)
    with pytest.raises(OSError, match="refused"):
        open_url(f"https://127.0.0.1:{server.ports.rest}/healthz", 5)
    trust = ssl.create_default_context(cafile=str(server.model_authority))
    with pytest.raises(urllib.error.HTTPError, match="401"):
        open_url(f"{server.rest_url}/v2/models/fraud/status", 5, trust=trust)
