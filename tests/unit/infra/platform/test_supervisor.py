from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from configparser import RawConfigParser
from contextlib import suppress
from http.client import BadStatusLine
from pathlib import Path

import psutil
import pytest

from features.base.settings import Settings, load
from infra.errors import PlatformError
from infra.platform import components, leftovers, supervisor
from infra.platform.components import Component


def _component(command: list[str]) -> Component:
    return Component("odd", 1, lambda _: command, lambda _: {}, start_s=1, ready_s=1, stop_s=1)


def test_a_command_comes_back_from_the_configuration_as_it_went_in(tmp_path: Path) -> None:
    command = ["/a b/run", "100%", "--name='x'", 'say "hi"']
    parser = RawConfigParser()
    parser.read_string(supervisor.configuration(load(tmp_path / "with 50% more"), (_component(command),)))
    assert shlex.split(parser["program:odd"]["command"].replace("%%", "%")) == command
    assert parser["program:odd"]["autostart"] == "false"


def test_every_component_has_its_log_in_the_folder(tmp_path: Path) -> None:
    settings = load(tmp_path)
    parser = RawConfigParser()
    parts = tuple(_component(["true"]) for _ in range(1))
    parser.read_string(supervisor.configuration(settings, parts))
    assert parser["program:odd"]["stdout_logfile"] == str(tmp_path / "logs" / "odd.log")
    assert {part.name for part in components.ALL} == {"kafka", "redis", *components.PROCESSES}


def test_the_socket_is_in_the_folder_unless_that_is_too_deep(tmp_path: Path) -> None:
    assert supervisor.socket_path(load("/srv/loop")) == Path("/srv/loop/run/supervisor.sock")
    deep = supervisor.socket_path(load(tmp_path / ("d" * 100)))
    assert len(str(deep)) < 100
    assert deep != supervisor.socket_path(load(tmp_path / ("e" * 100)))


def test_without_a_supervisor_nothing_runs(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert not supervisor.running(settings)
    assert supervisor.processes(settings) == {}


def test_leftovers_are_found_by_their_mark_and_ended(tmp_path: Path) -> None:
    settings = load(tmp_path)
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    ours = subprocess.Popen(sleep, env={**os.environ, supervisor.MARKER: str(settings.dir)})
    other = subprocess.Popen(sleep, env={**os.environ, supervisor.MARKER: str(tmp_path / "other")})
    try:
        processes = leftovers.find(settings)
        assert [process.pid for process in processes] == [ours.pid]
        assert leftovers.end(processes, grace_s=5) == []
        assert other.poll() is None
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Settings, psutil.Process]]:
    """A platform whose supervisor is stopped, and the component that it started."""
    settings = load(tmp_path)
    sleep = _component([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        supervisor.start(settings, (sleep,))
        supervisor.start_component(settings, "odd")
        (component,) = supervisor.processes(settings).values()
        assert component.wanted
        os.kill(supervisor.pid(settings), signal.SIGSTOP)
        monkeypatch.setattr(supervisor, "_ANSWER_S", 0.3)
        yield settings, psutil.Process(component.pid)
    finally:
        for process in leftovers.find(settings):
            with suppress(psutil.NoSuchProcess):  # those that the test ended may still be on their way out
                process.resume()
        assert leftovers.end(leftovers.find(settings), grace_s=10) == []


def test_nobody_waits_for_a_supervisor_that_hangs(hanging: tuple[Settings, psutil.Process]) -> None:
    settings, component = hanging
    began = time.monotonic()
    assert not supervisor.running(settings)
    # It is not "nothing runs", because something does.
    with pytest.raises(supervisor.Unanswered, match=r"does not answer .* may still run; run driftloop down"):
        supervisor.processes(settings)
    for ask in (supervisor.start_component, supervisor.stop_component):
        with pytest.raises(PlatformError, match="does not answer"):
            ask(settings, "odd")
    for question in (supervisor.pid, supervisor.shutdown):
        with pytest.raises(OSError, match="does not answer"):
            question(settings)
    assert time.monotonic() - began < 6
    assert component.is_running()


def test_a_supervisor_that_hangs_is_ended_with_what_it_runs(hanging: tuple[Settings, psutil.Process]) -> None:
    settings, component = hanging
    processes = leftovers.find(settings)
    assert len(processes) == 2
    assert leftovers.end(processes, grace_s=0.5) == []
    assert not component.is_running()
    assert supervisor.processes(settings) == {}


def test_a_supervisor_that_goes_on_answers_again(
    hanging: tuple[Settings, psutil.Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, _ = hanging
    assert not supervisor.running(settings)
    monkeypatch.setattr(supervisor, "_ANSWER_S", 10.0)
    for process in leftovers.find(settings):
        process.resume()
    supervisor.stop_component(settings, "odd")
    while supervisor.processes(settings)["odd"].wanted:
        time.sleep(0.05)
    supervisor.shutdown(settings)
    psutil.wait_procs(leftovers.find(settings), timeout=10)
    assert not supervisor.running(settings)


LOG = """2026-11-29 13:20:01,001 INFO spawned: 'scorer' with pid 10
2026-11-29 13:20:03,001 WARN exited: scorer (exit status 2; not expected)
2026-11-29 13:20:04,001 INFO spawned: 'writers' with pid 11
2026-11-29 13:20:06,001 WARN exited: writers (exit status 1; not expected)
2026-11-29 13:20:07,001 WARN exited: writers (terminated by SIGKILL; not expected)
2026-11-29 13:20:08,001 INFO exited: control (exit status 0; expected)
"""


def test_how_a_process_ended_is_read_from_the_supervisors_log(tmp_path: Path) -> None:
    path = tmp_path / "supervisor.log"
    assert supervisor.last_exit(path, "scorer") == -1
    path.write_text("x" * 100_000 + "\n" + LOG)
    codes = {name: supervisor.last_exit(path, name) for name in ("scorer", "writers", "control", "score", "redis")}
    assert codes == {"scorer": 2, "writers": -1, "control": 0, "score": -1, "redis": -1}


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (PermissionError(13, "Permission denied"), "belongs to another user"),
        (OSError(24, "Too many open files"), "does not say what runs"),
        (BadStatusLine("what?"), "does not say what runs"),
    ],
)
def test_a_look_that_fails_is_not_nothing(
    failure: Exception, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise failure

    monkeypatch.setattr(supervisor._Connection, "connect", fail)
    with pytest.raises(supervisor.Unanswered, match=reason):
        supervisor.processes(load(tmp_path))


def test_another_users_platform_is_not_taken_for_one_that_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(supervisor._Connection, "connect", fail)
    with pytest.raises(PlatformError, match="run this as that user, or choose another folder with --dir"):
        supervisor.running(load(tmp_path))


@pytest.mark.parametrize(("mask", "kept"), [(0o000, "022"), (0o022, "022"), (0o077, "077"), (0o027, "027")])
def test_nobody_else_may_change_what_is_written(mask: int, kept: str, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        text = supervisor.configuration(load(tmp_path), ())
    finally:
        os.umask(before)
    assert f"\numask={kept}\n" in text
