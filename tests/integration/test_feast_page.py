"""docs/feast.md: its Python runs as it stands there, its settings are settings."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from features.base.settings import FILE_NAME, Settings, load
from features.catalogue.vector import SCHEMA, WIDTH
from features.feast_repo.store import apply, config, import_feast
from features.online.store import Activity, OnlineWriter
from tests.profile_rows import profile_row

pytestmark = pytest.mark.integration

PAGE = (Path(__file__).parents[2] / "docs" / "feast.md").read_text()
AT = 1_767_600_000_000


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_its_python_runs(
    platform: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load(tmp_path / ".driftloop")
    settings.ports.redis = platform.ports.redis
    apply(settings)
    writer = OnlineWriter(settings)
    writer.write_activity([Activity("c42", AT - 1000, np.zeros(WIDTH, dtype=np.float32), SCHEMA, 0.5, "t")])
    writer.write_profiles([profile_row("c42", AT - 1000, 24.95)])
    monkeypatch.chdir(tmp_path)
    import_feast()
    online, joined = _blocks("python")
    exec(online, {})
    score, risk, ratio = capsys.readouterr().out.split()
    assert score == "[0.5]"
    assert float(ratio.strip("[]")) == pytest.approx(2.0)
    assert risk.startswith("[0.0")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "fetch_arrow_table", DeprecationWarning)
        exec(joined, {})
    assert "as_of_ms" in capsys.readouterr().out


def test_its_settings_are_settings(tmp_path: Path) -> None:
    [text] = _blocks("toml")
    (tmp_path / FILE_NAME).write_text(text)
    settings = load(tmp_path)
    assert config(settings)["offline_store"] == {
        "type": "spark",
        "spark_conf": {
            "spark.hadoop.fs.s3a.endpoint": "http://minio.internal:9000",
            "spark.hadoop.fs.s3a.path.style.access": "true",
            "spark.sql.session.timeZone": "UTC",
            "spark.master": "k8s://https://kubernetes.default",
            "spark.executor.memory": "8g",
        },
        "staging_location": "s3://lake/fraud/feast/staging",
        "region": "eu-west-3",
    }
