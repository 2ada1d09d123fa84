"""``driftloop archive``: how far it is complete, and merging."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from features.archive.locks import reading
from features.base.settings import Settings, load
from features.catalogue.vector import SCHEMA
from infra.cli import main
from streams.writers.archive import Archive, ArchiveSink
from tests.unit.streams.records import DAY, HOUR, T0, record, score


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    # The command line sets the variable for its children: give it back afterwards.
    monkeypatch.setenv("DRIFTLOOP_DIR", str(tmp_path))
    (tmp_path / "driftloop.toml").touch()
    settings = load(tmp_path)
    sink = ArchiveSink(settings)
    for offset, at in enumerate((T0, T0 + HOUR, T0 + 2 * DAY, T0 + 2 * DAY)):
        sink.write(Archive(SCHEMA).process([record("scores", offset, score(f"s{offset}", at))]).rows)
    return settings


def test_status_says_how_far_it_is_complete(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["archive", "status", "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["topics"]["scores"]["0"]["next_offset"] == 4
    assert status["topics"]["scores"]["0"]["newest_event_ms"] == T0 + 2 * DAY
    assert status["files"]["scores"]["days"] == 2
    assert status["files"]["scores"]["files"] == 4
    assert status["complete_through"] == "2018-03-02"
    assert main.run(["archive", "status"]) == 0
    shown = capsys.readouterr().out
    assert "complete days: up to 2018-03-02" in shown
    assert "scores: 2 days, 4 files" in shown


def test_an_empty_archive_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DRIFTLOOP_DIR", str(tmp_path))
    (tmp_path / "driftloop.toml").touch()
    assert main.run(["archive", "status"]) == 0
    assert "nothing is archived in" in capsys.readouterr().out


def test_a_broken_manifest_is_one_line(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    (settings.archive / "manifest.json").write_text("{")
    assert main.run(["archive", "status"]) == 2
    error = capsys.readouterr().err
    assert "manifest.json" in error
    assert error.count("\n") == 1


def test_compact_merges_unless_somebody_reads(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with reading(settings.archive):
        assert main.run(["archive", "compact"]) == 1
    assert "try again when it is done" in capsys.readouterr().err
    assert main.run(["archive", "compact"]) == 0
    assert "4 files of 4 rows are 2 now" in capsys.readouterr().out
    assert len(list((settings.archive / "scores").rglob("*.parquet"))) == 2
