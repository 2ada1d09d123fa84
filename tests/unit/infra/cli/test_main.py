from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from infra.cli import main


def test_help_lists_every_command_fast() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    process = subprocess.run([sys.executable, "-m", "infra.cli.main", "--help"], capture_output=True, text=True, check=True)
    assert all(f"  {name} " in process.stdout for name in main.COMMANDS)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 0.5


def test_help_imports_nothing_heavy() -> None:
    heavy = ["tensorflow", "pyspark", "feast", "kserve", "faust", "evidently", "kfp", "numba", "confluent_kafka", "pandas"]
    code = (
        "import sys; from infra.cli.main import run; run(['--help']); "
        f"sys.exit(','.join(set({heavy}) & set(sys.modules)) or None)"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert process.stderr == ""
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bogus"], "No such command 'bogus'"),
        (["up", "--bogus"], "No such option: --bogus"),
        (["logs", "-n", "many"], "Invalid value for '-n' / '--lines'"),
        (["up", "--only", "zookeeper"], "no component named zookeeper"),
        (["logs"], "no logs in "),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTLOOP_DIR", "")
    (tmp_path / "driftloop.toml").touch()
    assert main.run(["--dir", str(tmp_path), *arguments]) == 2
    line = capsys.readouterr().err
    assert line.startswith("driftloop: ")
    assert message in line
    assert line.count("\n") == 1


def test_wrong_settings_are_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTLOOP_DIR", "")
    (tmp_path / "driftloop.toml").write_text("partitions = 0\n")
    assert main.run(["--dir", str(tmp_path), "status"]) == 2
    line = capsys.readouterr().err
    assert "partitions" in line
    assert line.count("\n") == 1


def test_the_folder_behind_the_command_is_told_where_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["status", "--dir", "x"]) == 2
    assert capsys.readouterr().err == "driftloop: --dir stands before the command: driftloop --dir FOLDER status\n"
