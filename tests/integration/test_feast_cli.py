"""Feast's own command line on the folder that ``driftloop up`` leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
from pathlib import Path

import pytest

from features.archive import layout
from features.base.settings import FILE_NAME, Settings, load
from features.base.web_client import open_url
from features.catalogue.vector import SERVICE
from features.feast_repo.store import apply, open_store, write_config
from infra.platform.ports import free_ports

FEAST = Path(sys.executable).with_name("feast")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A folder as ``driftloop up`` leaves it. Nothing runs: these commands ask neither Kafka nor Redis."""
    folder = tmp_path_factory.mktemp("feast-cli")
    (folder / FILE_NAME).write_text("[ports]\nredis = 16379\nkafka = 19092\n")
    settings = load(folder)
    layout.create(settings)
    write_config(settings)
    return settings


def _environment() -> dict[str, str]:
    # The package under test, wherever Feast changes to; and nothing of this session's settings.
    own = {name: value for name, value in os.environ.items() if not name.startswith("DRIFTLOOP_")}
    return own | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONWARNINGS": "default"}


def _feast(settings: Settings, *arguments: str) -> str:
    done = subprocess.run(
        [FEAST, "-c", settings.feature_repo, *arguments],
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_apply_and_plan_take_the_folder_as_it_is(settings: Settings) -> None:
    _feast(settings, "apply")
    store = open_store(settings)
    assert {view.name for view in store.list_feature_views()} == {"card_activity", "terminal_risk", "customer_profile"}
    assert {service.name for service in store.list_feature_services()} == {SERVICE, f"{SERVICE}_by_card"}
    apply(settings)
    assert "No changes to registry" in _feast(settings, "plan")


def test_ui_shows_the_objects(settings: Settings) -> None:
    port = next(free_ports(set()))
    log = settings.dir / "ui.log"
    with log.open("wb") as out:
        arguments: list[str | Path] = [FEAST, "-c", settings.feature_repo, "ui", "--host", "127.0.0.1", "--port", str(port)]
        process = subprocess.Popen(arguments, env=_environment(), stdout=out, stderr=out)
    try:
        page = _get(process, log, f"http://127.0.0.1:{port}/")
        assert b"<!doctype html>" in page
        answer = json.loads(_get(process, log, f"http://127.0.0.1:{port}/api/v1/feature_views?project=driftloop"))
        assert {view["spec"]["name"] for view in answer["featureViews"]} >= {"card_activity", "terminal_risk", "customer_profile"}
    finally:
        process.terminate()
        process.wait(20)


def _get(process: subprocess.Popen[bytes], log: Path, url: str, timeout_s: float = 90) -> bytes:
    """The body of ``url``, as soon as the server answers."""
    end = time.monotonic() + timeout_s
    while True:
        assert process.poll() is None, log.read_text()
        try:
            with open_url(url, 20) as response:
                return bytes(response.read())
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.3)
