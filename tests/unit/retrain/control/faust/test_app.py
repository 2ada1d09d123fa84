"""Control's Faust app: what the environment of others must not change."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.base.settings import load
from retrain.control.faust.app import faust_app


def test_what_celery_and_web_servers_call_the_same_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "driftloop.toml").write_text("[ports]\nkafka = 9092\ncontrol = 6066\n")
    for name, value in {
        "BROKER_URL": "redis://elsewhere:1",
        "WEB_PORT": "80",
        "WEB_BIND": "0.0.0.0",
        "APP_DATADIR": "/nowhere",
        "TIMEZONE": "Mars/Olympus",
        "PROCESSING_GUARANTEE": "exactly_once",
        "APP_ENV_PREFIX": "X_",
        "X_BROKER_URL": "redis://elsewhere:1",
    }.items():
        monkeypatch.setenv(name, value)
    conf = faust_app(load(tmp_path)).conf
    assert list(map(str, conf.broker)) == ["kafka://127.0.0.1:9092"]
    assert (conf.web_port, conf.web_bind, conf.datadir) == (6066, "127.0.0.1", tmp_path / "control")
    assert "Mars" not in str(conf.timezone)
