"""Every query of the dashboards, run by a real Prometheus where one is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from dashboards.build import FOLDER
from dashboards.promql import queries
from dashboards.scrape import scrape_config
from features.base.sections import Ports
from features.base.settings import Settings
from features.base.web_client import open_url
from infra.platform.ports import free_ports
from streams.drift.metrics import DRIFT_FEATURE
from streams.engine.health_page import serve
from streams.engine.metrics import EVENT_TIME

PROMETHEUS = shutil.which("prometheus")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(PROMETHEUS is None, reason="there is no prometheus on PATH (.ci/packages installs it)"),
]

ALL = [query for path in sorted(FOLDER.glob("*.json")) for query in queries(json.loads(path.read_text()))]


def _ask(url: str, expr: str) -> dict[str, Any]:
    with open_url(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': expr})}", 5) as answer:
        value: dict[str, Any] = json.load(answer)
    return value


def _wait(url: str, expr: str) -> list[dict[str, Any]]:
    """Return the series of a query as soon as it has some; AssertionError after 60 s without."""
    deadline = time.monotonic() + 60
    while True:
        # OSError: refused connections, 503 while Prometheus starts, and time-outs.
        with suppress(OSError):
            if series := _ask(url, expr)["data"]["result"]:
                return list(series)
        assert time.monotonic() < deadline, f"{expr} stays empty"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus that scrapes this process, in the part of the scorer and of the drift monitor, by our config."""
    folder = tmp_path_factory.mktemp("prometheus")
    port = next(islice(free_ports(set()), 1))
    server = serve(0, list)
    settings = Settings(ports=Ports(metrics={"scorer": server.server_port, "drift-monitor": server.server_port}))
    (folder / "prometheus.yml").write_text(scrape_config(settings))
    DRIFT_FEATURE.labels("amount").set(0.4)
    EVENT_TIME.labels("scorer").set(1_767_225_600)
    command = [
        str(PROMETHEUS),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with closing(server.socket), Path(folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url, 'driftloop_drift_feature_score{process="drift-monitor"}')
            yield url
        finally:
            process.terminate()
            process.wait(30)
            server.shutdown()


def test_prometheus_evaluates_every_query(prometheus: str) -> None:
    refused = []
    for query in ALL:
        try:
            _ask(prometheus, query.expr.replace("$__rate_interval", "10s"))
        except urllib.error.HTTPError as error:
            refused.append(f"{query.panel}: {error.read().decode()}")
    assert len(ALL) > 40
    assert refused == []


def test_values_come_through_by_process(prometheus: str) -> None:
    # Each target is scraped at a time of its own, up to the scrape interval after the other.
    _wait(prometheus, 'sum(up{job="driftloop"}) == 2')
    (series,) = _wait(prometheus, 'max by (feature) (driftloop_drift_feature_score{feature="amount"})')
    assert (series["metric"], series["value"][1]) == ({"feature": "amount"}, "0.4")
    (share,) = _wait(prometheus, 'driftloop_drift_share{process="drift-monitor"}')
    assert share["metric"]["process"] == "drift-monitor"
