from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from features.base.settings import SettingsError
from streams.engine.health_page import serve
from streams.engine.runner import run
from streams.kafka.refusal import Refused


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """What the runner sets for its process is given back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Ending:
    """A shell that ends at once, by this error where there is one."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    def run(self) -> None:
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        pass

    def health(self) -> list[str]:
        return []


@pytest.mark.parametrize(("error", "code"), [(None, 0), (RuntimeError("no"), 1), (Refused("the user has no right"), 2)])
def test_the_exit_code_says_whether_another_try_helps(
    error: Exception | None, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert run([Ending(error)], 0) == code
    assert ("Traceback" in caplog.text) == (code == 1)
    if code == 2:
        assert caplog.messages == ["the user has no right"]


def test_a_further_member_takes_another_port_than_the_first(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    first = serve(0, list)
    port = first.server_address[1]
    try:
        with pytest.raises(SettingsError, match=f"port {port} of .ports.metrics. is taken"):
            run([Ending()], port)
        monkeypatch.setenv("DRIFTLOOP_INSTANCE", "1")
        assert run([Ending()], port) == 0
    finally:
        first.shutdown()
        first.server_close()
    assert f"port {port} is taken: metrics and health are at " in caplog.text


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_host_is_named(host: str) -> None:
    with pytest.raises(SettingsError, match=f"network.bind.metrics is {host}, which is no address of this host"):
        run([Ending()], 0, host)


_STUCK = """
import logging, os, signal, sys, threading, time
from streams.engine import runner

class Shell:
    def __init__(self, hangs):
        self.hangs, self.stopped = hangs, threading.Event()
    def run(self):
        self.stopped.wait()
        if self.hangs:
            threading.Event().wait()
    def stop(self):
        self.stopped.set()
    def health(self):
        return []

logging.basicConfig(stream=sys.stdout)
runner.END_S = 0.5
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
sys.exit(runner.run([Shell(True), Shell(False)], 0))
"""


def test_what_does_not_end_is_left() -> None:
    """In a process of its own, which ends beneath it."""
    done = subprocess.run([sys.executable, "-c", _STUCK], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "1 of 2 processors did not end" in done.stdout
