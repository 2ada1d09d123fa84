"""What ``driftloop parity`` and ``driftloop job`` say of a range, or a place, that cannot be: before any Spark is started."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.base.durations import DAY_MS, HOUR_MS
from features.base.settings import Settings, load
from features.feast_repo.store import CONFIG_NAME
from infra.cli import main

#: 2026-02-16.
DAY = 20_500


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Two days, the second until noon; what else the commands look for is there."""
    monkeypatch.setenv("DRIFTLOOP_DIR", str(tmp_path / "p"))
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "driftloop.toml").touch()
    settings = load(tmp_path / "p")
    for day, name in ((DAY, "2026-02-16"), (DAY + 1, "2026-02-17")):
        folder = settings.archive / "scores" / f"day={name}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"event_time_ms": [day * DAY_MS + 12 * HOUR_MS]}), folder / "scores-0-0-9.parquet")
    settings.feature_repo.mkdir(parents=True)
    (settings.feature_repo / CONFIG_NAME).touch()
    return settings


@pytest.mark.parametrize("span", [["--to", "2026-02-16"], ["--from", "2026-02-17T12:00:01"], ["--from", "2026-03-01"]])
@pytest.mark.parametrize("command", [["parity"], ["job", "training-set", "--out", "OUT"]])
def test_a_range_outside_the_archive_is_told_what_it_holds(
    archive: Settings, tmp_path: Path, command: list[str], span: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(tmp_path / "set") if part == "OUT" else part for part in command]
    assert main.run([*arguments, *span]) == 2
    assert capsys.readouterr().err == (
        f"driftloop: nothing is archived between --from and --to; {archive.archive} holds events of "
        "2026-02-16 to 2026-02-17 12:00:00 UTC\n"
    )


def test_a_profile_job_before_the_archive_is_told_what_it_holds(archive: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["job", "profile", "--to", "2026-02-01"]) == 2
    assert "holds events of 2026-02-16 to" in capsys.readouterr().err


def test_backfilled_vectors_of_another_time_are_told_of(
    archive: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from features.jobs.backfill_progress import folder

    arguments = ["job", "training-set", "--out", str(tmp_path / "set"), "--vectors", "backfill", "--from", "2026-02-17"]
    assert main.run(arguments) == 2
    assert "run driftloop job backfill first" in capsys.readouterr().err
    for day in ("2026-02-14", "2026-02-15"):
        place = folder(archive) / f"day={day}"
        place.mkdir(parents=True)
        pq.write_table(pa.table({"event_time_ms": [0]}), place / "bucket-00000-of-00001.parquet")
    assert main.run(arguments) == 2
    assert "there are some of 2026-02-14 to 2026-02-15" in capsys.readouterr().err


def test_a_training_set_does_not_go_into_a_file_or_into_what_is_none(
    archive: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, other = tmp_path / "file", tmp_path / "other"
    file.touch()
    other.mkdir()
    (other / "notes").touch()
    for out, reason in (
        (file, "which is a file; name a folder"),
        (other, "which holds something else; name a new folder or a training set's"),
        (tmp_path / "none" / "set", f"there is no folder {tmp_path / 'none'}, make it first"),
    ):
        assert main.run(["job", "training-set", "--out", str(out)]) == 2
        message = capsys.readouterr().err
        assert message.startswith(f"driftloop: --out is {out}")
        assert message.endswith(f"{reason}\n")
        assert message.count("\n") == 1
