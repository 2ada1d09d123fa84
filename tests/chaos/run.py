"""One run: the platform, the stream, the faults, and what must hold afterwards."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from features.base.settings import Settings, load
from features.online.store import OnlineWriter
from infra.platform import leftovers, provision
from infra.platform import up_down as local
from streams import topics
from streams.publish.groups import GROUPS
from streams.publish.lockstep import Lockstep
from tests.chaos import champion
from tests.chaos.inject import Injector
from tests.chaos.plan import Fault, plan, steps
from tests.chaos.processes import Child, wait_until
from tests.chaos.progress import Progress
from tests.chaos.road import Road
from tests.chaos.stream import Stream
from tests.chaos.verify import Facts, verify
from tests.chaos.world import DELAY_DAYS, World, build
from tests.profile_rows import profile_row

log = logging.getLogger(__name__)

SCORERS = 2
WRITERS = ("feast-writer", "archive", "label-joiner", "counterpart-risk")
#: Nothing asks for a training here, so the control process has nothing to do.
_GROUPS = {group: names for group, names in GROUPS.items() if group != "control"}
_PATIENCE_S = 120.0
#: The history of a long run is hundreds of thousands of records.
_SETTLE_S = 900.0
TWO = "two at once"
#: How many processes that are not killed may end by themselves after a fault: a zombie, and whoever talks to the broker.
_MAY_END = {"stop scorer (zombie)": 1, "kill broker": SCORERS + 2}

_TOML = f"""
[labels]
delay_days = {DELAY_DAYS}
[scoring]
max_batch = 1000
model_timeout_s = 2.0
profile_timeout_s = 2.0
[snapshots]
interval_s = 5
[writers]
linger_s = 0.3
[skew]
subjects = 0
"""


@dataclass(frozen=True)
class Recovery:
    """After one fault (or two at once): seconds until all that had been published by then was scored, and until the writers and
    the drift monitor had processed all that there was then. ``faults``: how many they were."""

    what: str
    faults: int
    scored_s: float
    whole_s: float


@dataclass
class Result:
    """``second_restarts``: how often the broker had to be restarted once more before the group came back."""

    seed: int
    second_restarts: int = 0
    recoveries: list[Recovery] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Run:
    """``run()`` once. ``rate``: payments a second."""

    def __init__(self, folder: Path, seed: int, faults: int, rate: float, tell: Callable[[str], None]) -> None:
        self._folder = folder
        self._tell = tell
        self._rate = rate
        self._steps = steps(plan(seed, faults, SCORERS))
        self._seed = seed
        # Enough for the longest that the schedule should take; what is left over is not published.
        self._world: World = build(seed, int(rate * (30 + 14 * faults)))
        self._result = Result(seed)
        self._acknowledged: dict[tuple[str, int, int], int] = {}
        self._without_redis: list[tuple[int, int]] = []
        self._malformed: frozenset[int] = frozenset()

    def run(self) -> Result:
        """Everything. Raises AssertionError where the harness itself cannot go on."""
        began = time.monotonic()
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "driftloop.toml").write_text(_TOML)
        settings = load(self._folder)
        try:
            settings = local.up(settings, only={"kafka", "redis"})
            provision.features(settings)
            payments = [sent.value for sent in self._world.history if sent.topic == topics.EVENTS]
            champion.install(settings, self._folder / "v1", self._seed, payments)
            self._with_processes(settings)
        finally:
            local.down(settings)
        if left := leftovers.find(settings):
            self._result.wrong.append(f"processes left: {left}")
        self._result.seconds = time.monotonic() - began
        return self._result

    def _with_processes(self, settings: Settings) -> None:
        road = Road(settings.ports.grpc)
        ports = '{"scorer": 0, "writers": 0, "drift-monitor": 0}'
        free = {"DRIFTLOOP_PORTS__METRICS": ports}
        children = {
            "model-server": Child("model-server", settings.dir, ["model-server"], {}),
            "writers": Child("writers", settings.dir, list(WRITERS), free),
            "drift-monitor": Child("drift-monitor", settings.dir, ["drift-monitor"], free),
        }
        for n in range(SCORERS):
            environment = {
                "DRIFTLOOP_INSTANCE": str(n),
                "DRIFTLOOP_PORTS__METRICS": ports,
                "DRIFTLOOP_PORTS__GRPC": str(road.port),
            }
            children[f"scorer-{n}"] = Child(f"scorer-{n}", settings.dir, ["scorer"], environment)
        try:
            self._history(settings)
            self._live(settings, children, road)
            Lockstep(settings, _GROUPS, timeout_s=_SETTLE_S).wait()
            self._tell("settled")
            counts, wrong = verify(settings, Facts(self._acknowledged, self._without_redis, self._malformed))
            self._result.counts |= counts
            self._result.wrong += wrong
        finally:
            codes = {name: child.stop() for name, child in children.items()}
            road.close()
        self._look_at_ends(settings, children, codes)

    def _look_at_ends(self, settings: Settings, children: dict[str, Child], codes: dict[str, int]) -> None:
        """How the processes ended, and whether one is left of those that the platform's supervisor does not end."""
        result, ends = self._result, {name: child.ends for name, child in children.items() if child.ends}
        result.counts["broker restarted once more"] = result.second_restarts
        result.counts["process starts"] = sum(child.starts for child in children.values())
        result.counts["processes that ended by themselves"] = sum(map(len, ends.values()))
        for name, exits in ends.items():
            for code, lines in exits:
                self._tell("\n    ".join([f"{name} ended by itself with {code}", *lines]))
        # 1: what a zombie does when it is refused, and whoever waits for an answer in vain; it is started anew.
        result.wrong += [f"{name} ended with {code}" for name, exits in ends.items() for code, _ in exits if code != 1]
        causes = sum(_MAY_END.get(fault.kind, 0) for step in self._steps for fault in step)
        if (ended := result.counts["processes that ended by themselves"]) > causes:
            result.wrong.append(f"processes that ended by themselves: {ended}, and the faults account for {causes}")
        result.wrong += [f"{name} was asked to end, and ended with {code}" for name, code in codes.items() if code]
        left = [process for process in leftovers.find(settings) if "infra.cli.main" in process.cmdline()]
        result.wrong += [f"left behind: {process.cmdline()}" for process in left]

    def _history(self, settings: Settings) -> None:
        writer = OnlineWriter(settings)
        writer.write_profiles(
            [profile_row(subject, self._world.begin_ms, 40.0, i) for i, subject in enumerate(self._world.subjects)]
        )
        writer.close()
        for part in (self._world.history, self._world.last_day):
            sender = Stream(settings, part, 1e9)
            sender.start()
            assert wait_until(lambda sender=sender: sender.exhausted, _SETTLE_S), "the history was not published"
            self._take_over(sender)
            Lockstep(settings, _GROUPS, timeout_s=_SETTLE_S).wait()
            self._tell(f"history: {len(part):,} records settled")

    def _take_over(self, stream: Stream) -> None:
        stream.stop()
        twice = self._acknowledged.keys() & stream.acknowledged.keys()
        assert not twice, f"places were given twice: {list(twice)[:3]}"
        self._acknowledged |= stream.acknowledged

    def _live(self, settings: Settings, children: dict[str, Child], road: Road) -> None:
        stream = Stream(settings, self._world.live, self._rate)
        stream.start()
        assert wait_until(lambda: len(stream.ends) > 0, _PATIENCE_S), "nothing was published"
        injector = Injector(settings, self._seed, self._world, children, road, stream)
        progress = Progress(settings, _GROUPS)
        try:
            for n, step in enumerate(self._steps, start=1):
                time.sleep(step[0].pause_s)
                if not self._one(step, f"{n}/{len(self._steps)}", injector, stream, progress):
                    break
        finally:
            progress.close()
        self._without_redis, self._malformed = injector.without_redis, frozenset(injector.malformed)
        if stream.exhausted:
            self._tell("the stream was exhausted before the last fault")
        self._take_over(stream)
        self._result.counts["payments and labels published"] = len(self._acknowledged)

    def _one(self, step: list[Fault], number: str, injector: Injector, stream: Stream, progress: Progress) -> bool:
        """Inject, and wait until it is over. Whether it is."""
        kinds = " and ".join(fault.kind for fault in step)
        began = time.monotonic()
        injector.together(step)
        goal = {"scorer": {(topics.EVENTS, partition): end for partition, end in stream.ends.items()}}
        done = wait_until(lambda: progress.reached(goal), _PATIENCE_S)
        if not done and any(fault.kind == "kill broker" for fault in step):
            # What an operator does where health stays red and the broker's coordinator serves a state of long ago.
            self._tell(f"{number} {kinds}: not back after {_PATIENCE_S:.0f} s, so the broker is restarted once more")
            self._result.second_restarts += 1
            injector.kill("kafka")
            done = wait_until(lambda: progress.reached(goal), _PATIENCE_S)
        scored_s = time.monotonic() - began
        done = done and self._others(progress)
        recovery = Recovery(step[0].kind if len(step) == 1 else TWO, len(step), scored_s, time.monotonic() - began)
        self._result.recoveries.append(recovery)
        self._tell(f"{number} {kinds}: {recovery.scored_s:.1f} s, whole loop {recovery.whole_s:.1f} s")
        if not done:
            self._result.wrong.append(f"{number} ({kinds}): not recovered from within {_PATIENCE_S:.0f} s")
        return done

    def _others(self, progress: Progress) -> bool:
        """Wait until the other groups have reached what there is now."""
        goals: list[dict[str, dict[tuple[str, int], int]]] = []

        def known() -> bool:
            ends = progress.ends([group for group in _GROUPS if group != "scorer"])
            goals.extend([] if ends is None else [ends])
            return ends is not None

        return wait_until(known, _PATIENCE_S) and wait_until(lambda: progress.reached(goals[0]), _PATIENCE_S)
