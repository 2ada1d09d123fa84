"""Starting components, under a real supervisor."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from features.base.settings import Settings, load
from infra.platform import health, leftovers, supervisor, up_down
from infra.platform.components import Component

#: Says that it is there, and takes a second to end.
SLOW = """
import pathlib, signal, sys, time
def end(*_):
    time.sleep(1)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
with pathlib.Path("starts").open("a") as starts:
    starts.write("x")
time.sleep(60)
"""


def _starts(settings: Settings) -> int:
    path = settings.dir / "starts"
    return len(path.read_text()) if path.exists() else 0


def test_what_is_still_ending_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody asked for the stop and was killed: the next one who starts it must not find it stopped."""
    settings = load(tmp_path)
    (tmp_path / "slow.py").write_text(SLOW)
    part = Component(
        "slow", 1, lambda _: [sys.executable, str(tmp_path / "slow.py")], lambda _: {}, start_s=0, ready_s=20, stop_s=10
    )
    monkeypatch.setattr(health, "check", lambda *_: health.HEALTHY if _starts(settings) == 2 else "not yet")
    messages: list[tuple[str, str]] = []
    try:
        supervisor.start(settings, (part,))
        supervisor.start_component(settings, "slow")
        deadline = time.monotonic() + 20
        while _starts(settings) < 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        supervisor.stop_component(settings, "slow")
        assert supervisor.processes(settings)["slow"].state == "STOPPING"
        up_down.bring_up(settings, [part], lambda name, what, _: messages.append((name, what)), time.monotonic())
        assert messages == [("slow", "starting"), ("slow", "healthy")]
        assert supervisor.processes(settings)["slow"].state == "RUNNING"
    finally:
        assert leftovers.end(leftovers.find(settings), grace_s=10) == []
