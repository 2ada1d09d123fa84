"""Every command on a folder that is no platform: one line that names it, exit code 2, and nothing is made."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from infra.cli import main
from tests.unit.streams.replay.test_replay import ROWS, table

#: Stands for a file of payments.
FILE = "FILE"
#: A whole command line of each command that looks at a platform.
LINES = [
    ["status"],
    ["logs"],
    ["down"],
    ["run", "scorer"],
    ["topology"],
    ["simulate", "--days", "1", "--subjects", "300"],
    ["simulate", "--days", "1", "--subjects", "300", "--out", "out.jsonl"],
    ["replay", FILE],
    ["models"],
    ["alerts"],
    ["drift"],
    ["hash", "c1"],
    ["retrain", "--reason", "why"],
    ["rollback", "--reason", "why"],
    ["features", "list"],
    ["features", "show", "card", "c1"],
    ["features", "history", "card", "c1"],
    ["repartition", "--partitions", "8", "--yes"],
    ["dlq", "list"],
    ["dlq", "show", "0:1"],
    ["dlq", "replay", "--yes"],
    ["dlq", "discard", "--reason", "why", "--yes"],
    ["archive", "status"],
    ["archive", "compact"],
    ["pipeline", "compile", "--out", "ir.yaml"],
    ["job", "backfill"],
    ["job", "profile"],
    ["job", "training-set", "--out", "set"],
    ["parity"],
]
#: They make a platform.
MAKERS = {"up", "demo"}


@pytest.fixture(scope="module")
def payments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "payments.parquet"
    pq.write_table(table(ROWS), path)
    return path


def test_each_command_is_looked_at() -> None:
    assert {line[0] for line in LINES} == main.COMMANDS.keys() - MAKERS


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_a_folder_that_is_no_platform_is_one_line_and_stays_as_it_is(
    line: list[str],
    exists: bool,
    payments: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DRIFTLOOP_DIR", "")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mistyped"
    if exists:
        folder.mkdir()
    line = [str(payments) if word == FILE else word for word in line]
    assert main.run(["--dir", str(folder), *line]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert f"there is no platform in {folder}: " in output.err
    assert "choose its folder with --dir" in output.err
    assert [path.name for path in tmp_path.iterdir()] == ["mistyped"] * exists
    assert not exists or not any(folder.iterdir())


@pytest.mark.parametrize("line", [["status"], ["down"], ["models"], ["run", "scorer"]])
def test_nor_is_the_folder_of_nobodys_choice_made(
    line: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DRIFTLOOP_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main.run(line) == 2
    assert f"there is no platform in {tmp_path / '.driftloop'}: there is no such folder" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("line", [["features", "list"], ["topology"]])
def test_what_needs_no_platform_needs_none(line: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DRIFTLOOP_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main.run(line) == 0
    assert not any(tmp_path.iterdir())


def test_help_is_given_everywhere(tmp_path: Path) -> None:
    assert main.run(["--dir", str(tmp_path / "none"), "status", "--help"]) == 0
