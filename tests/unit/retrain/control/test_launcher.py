"""Runs as child processes, with real processes."""

from __future__ import annotations

import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from features.base.events import RetrainRequest
from features.base.settings import Settings, load
from retrain.control.launcher import COMMAND_VARIABLE, Launcher
from retrain.pipeline.result import FILE_NAME

REQUEST = RetrainRequest("k", "fraud", "manual", 1_700_000_000_000)
SCRIPT = """
import os, pathlib, sys, time
folder = pathlib.Path(sys.argv[sys.argv.index("--run-dir") + 1])
with (folder / "pids").open("a") as pids:
    pids.write(f"{os.getpid()}\\n")
while not (folder / "go").exists():
    time.sleep(0.02)
(folder / "result.json").write_text('{"state": "rejected"}')
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    script = tmp_path / "pipeline.py"
    script.write_text(SCRIPT)
    monkeypatch.setenv(COMMAND_VARIABLE, shlex.join([sys.executable, str(script)]))
    return load(tmp_path)


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def pids(launcher: Launcher) -> list[int]:
    path = launcher.run_dir("r") / "pids"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def test_a_run_is_found_by_a_second_control_and_not_started_twice(settings: Settings) -> None:
    first, second = Launcher(settings), Launcher(settings)
    assert first.start("r", REQUEST)
    assert first.lives("r")
    assert second.lives("r")
    assert not second.start("r", REQUEST)
    (first.run_dir("r") / "go").touch()
    wait_for(lambda: not second.lives("r"))
    wait_for(lambda: not first.lives("r"))
    assert first.exit_code("r") == 0
    assert second.exit_code("r") is None
    assert (first.run_dir("r") / FILE_NAME).exists()
    assert not second.start("r", REQUEST)
    assert len(pids(first)) == 1


def test_a_second_control_can_end_a_run(settings: Settings) -> None:
    first, second = Launcher(settings), Launcher(settings)
    first.start("r", REQUEST)
    wait_for(lambda: len(pids(first)) == 1)
    second.terminate("r")
    wait_for(lambda: not first.lives("r"))
    assert first.exit_code("r") == -signal.SIGTERM


def test_ending_what_is_not_there_does_nothing(settings: Settings) -> None:
    Launcher(settings).terminate("never")
    assert not Launcher(settings).lives("never")


def test_a_command_that_does_not_exist(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMMAND_VARIABLE, "/no/such/command")
    launcher = Launcher(settings)
    with pytest.raises(OSError, match="no/such"):
        launcher.start("r", REQUEST)
    assert not launcher.lives("r")
