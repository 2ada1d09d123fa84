"""One process after the other over the same events."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from benchmarks.streams import child, world
from benchmarks.streams.child import Child
from benchmarks.streams.peers import start
from benchmarks.streams.phases import Phases
from benchmarks.streams.profile import Profile
from benchmarks.streams.watch import Progress, Run, Topics, backlog
from features.base.settings import Settings
from streams import topics

#: So long may pass without progress. Quix Streams commits every five seconds, by default.
_PATIENCE_S = 100.0
#: What a process meets first, unmeasured.
_WARM = 20_000
_HOP, _PEER = "hop", "peer"
#: Where Faust wants its table's changelog.
_CHANGELOG = "benchmark-faust-recent-changelog"
_SNAPSHOTS_OFF = {"DRIFTLOOP_SNAPSHOTS__INTERVAL_S": "0"}


class Bench:
    """Runs one process after the other over the same events."""

    def __init__(self, settings: Settings, events: world.Events) -> None:
        self._settings = settings
        self._events = events
        self._topics = Topics(settings)

    def hop(self, most: int) -> Run:
        """The bare exactly-once hop."""
        self._topics.anew(_HOP, _HOP)
        begin = partial(child.hop, self._settings, topics.EVENTS, _HOP, most)
        return self._run(begin, f"hop-{topics.EVENTS}", _HOP, len(self._events))

    def scorer(self, most: int) -> Run:
        """``driftloop run scorer``, without snapshots."""
        return self._run(partial(child.scorer, self._settings, most, _SNAPSHOTS_OFF), "scorer", topics.SCORES, len(self._events))

    def quix(self, total: int, *, calls: bool) -> Run:
        """Quix Streams over the first ``total`` events."""
        self._topics.anew(_PEER, _PEER)
        python = start.quix_python()
        group = f"quix-{'calls' if calls else 'state'}"
        begin = partial(start.quix, self._settings, python, group, topics.EVENTS, _PEER, calls=calls)
        return self._run(begin, group, _PEER, total)

    def faust(self, total: int) -> Run:
        """The Faust app over the first ``total`` events."""
        self._topics.anew(_PEER, _PEER)
        # An empty table: while it restores one, Faust can drop a record that it has fetched (docs/decisions.md).
        self._topics.anew(_CHANGELOG, _PEER)
        begin = partial(start.faust, self._settings, topics.EVENTS, _PEER)
        return self._run(begin, "benchmark-faust", _PEER, total, self._topics.written(_PEER))

    def profile(self) -> Profile:
        """The scorer under cProfile."""
        with tempfile.TemporaryDirectory(prefix="profile-") as folder:
            out = Path(folder) / "profile.json"
            self._watched("profile", out)
            return msgspec.json.decode(out.read_bytes(), type=Profile)

    def phases(self) -> Phases:
        """The scorer with a clock around each step."""
        with tempfile.TemporaryDirectory(prefix="phases-") as folder:
            out = Path(folder) / "phases.json"
            self._watched("phases", out)
            return msgspec.json.decode(out.read_bytes(), type=Phases)

    def _watched(self, module: str, out: Path) -> None:
        command = ["-P", "-m", f"benchmarks.streams.{module}", str(out)]
        begin = partial(Child, self._settings, module, command, environment=_SNAPSHOTS_OFF)
        self._run(begin, "scorer", topics.SCORES, len(self._events))

    def _run(self, begin: Callable[[], Child], group: str, target: str, total: int, progress: Progress | None = None) -> Run:
        self._topics.anew(topics.EVENTS, group)
        warm = min(_WARM, total // 5)
        world.fill(self._settings, topics.EVENTS, self._events.part(0, warm))
        progress = progress or self._topics.committed(group, topics.EVENTS)
        with begin() as process:
            rest = partial(world.fill, self._settings, topics.EVENTS, self._events.part(warm, total))
            began, cpu = backlog(process, progress, warm, total, rest, _PATIENCE_S)
        return Run(total - warm, self._topics.newest_ms(target) / 1000 - began, cpu)
