"""One run: the platform, the stream, the faults, and what must hold afterwards."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import KafkaException

from features.online import OnlineWriter
from features.settings import Settings, load
from infra import furnish, leftovers, supervise
from infra import platform as local
from infra.errors import PlatformError
from streams import topics
from streams.committed import Committed
from streams.publish.lockstep import Lockstep
from tests.chaos import champion
from tests.chaos.plan import Fault, Kind, plan
from tests.chaos.processes import Child, SlowRoad, kill, wait_until
from tests.chaos.stream import Stream
from tests.chaos.verify import verify
from tests.chaos.world import DELAY_DAYS, Sent, World, build, malformed
from tests.profile_rows import profile_row

log = logging.getLogger(__name__)

SCORERS = 2
_GROUPS = {
    "scorer": (topics.TRANSACTIONS,),
    "archive": (topics.SCORES, topics.OUTCOMES),
    "feast-writer": (topics.SCORES,),
    "label-joiner": (topics.LABELS, topics.SCORES),
    "terminal-risk": (topics.OUTCOMES,),
}
#: Longer than the session time-out of the consumers (10 s).
_ZOMBIE_S = 12.0
_SLOW_S = 3.0
_PATIENCE_S = 120.0
#: The history of a long run is hundreds of thousands of records.
_SETTLE_S = 900.0
_BURST = 200

_TOML = f"""
[labels]
delay_days = {DELAY_DAYS}
[scoring]
max_batch = 1000
model_timeout_s = 2.0
[snapshots]
interval_s = 5
[writers]
linger_s = 0.3
"""


@dataclass
class Result:
    """``recoveries``: seconds from each fault until everything that was published by then was scored, by kind.
    ``second_restarts``: how often the broker had to be restarted once more before the group came back."""

    seed: int
    second_restarts: int = 0
    recoveries: list[tuple[Kind, float]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Run:
    """``run()`` once. ``rate``: payments a second."""

    def __init__(self, folder: Path, seed: int, faults: int, rate: float, tell: Callable[[str], None]) -> None:
        self._folder = folder
        self._tell = tell
        self._rate = rate
        self._plan = plan(seed, faults, SCORERS)
        self._seed = seed
        # Enough for the longest that the schedule should take; what is left over is not published.
        self._world: World = build(seed, int(rate * (30 + 14 * faults)))
        self._result = Result(seed)
        self._payments = [one for one in self._world.live if one.topic == topics.TRANSACTIONS]
        self._bursts = self._again = 0

    def run(self) -> Result:
        """Everything. Raises AssertionError where the harness itself cannot go on."""
        began = time.monotonic()
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "driftloop.toml").write_text(_TOML)
        settings = load(self._folder)
        try:
            settings = local.up(settings, only={"kafka", "redis"})
            furnish.features(settings)
            champion.install(settings, self._folder / "v1", self._seed, self._settled())
            self._with_processes(settings)
        finally:
            local.down(settings)
        left = leftovers.find(settings)
        if left:
            self._result.wrong.append(f"processes left: {left}")
        self._result.seconds = time.monotonic() - began
        return self._result

    def _settled(self) -> list[bytes]:
        """The payments of the history."""
        return [one.value for one in self._world.history if one.topic == topics.TRANSACTIONS]

    def _with_processes(self, settings: Settings) -> None:
        road = SlowRoad(settings.ports.grpc)
        ports = '{"scorer": 0, "writers": 0}'
        children = {
            "model-server": Child("model-server", settings.dir, ["model-server"], {}),
            "writers": Child(
                "writers",
                settings.dir,
                ["feast-writer", "archive", "label-joiner", "terminal-risk"],
                {"DRIFTLOOP_PORTS__METRICS": ports},
            ),
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
            self._settle(settings)
            self._result.counts, wrong = verify(settings, self._world)
            self._result.wrong += wrong
        finally:
            for child in children.values():
                child.stop()
            road.close()
        self._result.counts["broker restarted once more"] = self._result.second_restarts
        self._result.counts["process starts"] = sum(child.starts for child in children.values())

    def _history(self, settings: Settings) -> None:
        sender = Stream(settings, self._world.history, 1e9)
        sender.start()
        assert wait_until(lambda: sender.exhausted, _SETTLE_S), "the history was not published"
        sender.stop()
        Lockstep(settings, _GROUPS, timeout_s=_SETTLE_S).wait()
        writer = OnlineWriter(settings)
        writer.write_profiles([profile_row(card, self._world.live_ms, 40.0, i) for i, card in enumerate(self._world.cards)])
        writer.close()
        self._tell(f"history of {len(self._world.history):,} records settled")

    def _live(self, settings: Settings, children: dict[str, Child], road: SlowRoad) -> None:
        stream = Stream(settings, self._world.live, self._rate)
        stream.start()
        assert wait_until(lambda: len(stream.ends) > 0, _PATIENCE_S), "nothing was published"
        with Committed(settings) as committed:
            for n, fault in enumerate(self._plan, start=1):
                time.sleep(fault.pause_s)
                began = time.monotonic()
                self._inject(settings, fault, children, road, stream)
                goal = dict(stream.ends)
                done = wait_until(lambda goal=goal: _reached(committed, goal), _PATIENCE_S)
                if not done and fault.kind == "kill broker":
                    # What an operator does where health stays red and the broker's coordinator serves a state of long ago.
                    self._tell(
                        f"{n}/{len(self._plan)} {fault.kind}: not back after {_PATIENCE_S:.0f} s, so it is restarted once more"
                    )
                    self._result.second_restarts += 1
                    kill(_pid(settings, "kafka"))
                    done = wait_until(lambda goal=goal: _reached(committed, goal), _PATIENCE_S)
                took = time.monotonic() - began
                self._result.recoveries.append((fault.kind, took))
                self._tell(f"{n}/{len(self._plan)} {fault.kind}: {took:.1f} s")
                if not done:
                    self._result.wrong.append(f"fault {n} ({fault.kind}): not recovered from within {_PATIENCE_S:.0f} s")
                    break
        self._result.counts["payments published"] = stream.sent
        if stream.exhausted:
            self._tell("the stream was exhausted before the last fault")
        stream.stop()

    def _settle(self, settings: Settings) -> None:
        Lockstep(settings, _GROUPS, timeout_s=_SETTLE_S).wait()
        self._tell("settled")

    def _inject(self, settings: Settings, fault: Fault, children: dict[str, Child], road: SlowRoad, stream: Stream) -> None:
        scorer = children[f"scorer-{fault.member}"]
        match fault.kind:
            case "kill scorer":
                scorer.kill()
            case "stop scorer (zombie)":
                scorer.pause(_ZOMBIE_S)
            case "kill writers":
                children["writers"].kill()
            case "kill model server":
                children["model-server"].kill()
            case "slow model server":
                road.delay_s = _SLOW_S
                time.sleep(_SLOW_S)
                road.delay_s = 0.0
            case "kill broker":
                kill(_pid(settings, "kafka"))
            case "kill redis":
                kill(_pid(settings, "redis"))
            case "malformed burst":
                self._bursts += 1
                stream.burst(malformed(self._seed + self._bursts, _BURST))
            case "duplicate burst":
                stream.burst(self._payments[max(0, stream.sent - 3 * _BURST) : max(0, stream.sent - _BURST)])
            case "late burst":
                # From the live part's beginning, under ids of their own. Not of the history: their outcomes would change what
                # is known of terminals behind the label horizon.
                end = min(self._again + _BURST, stream.sent // 2)
                stream.burst([_renamed(one, self._bursts) for one in self._payments[self._again : end]])
                self._again = end
                self._bursts += 1
        time.sleep(0.3)


def _renamed(one: Sent, n: int) -> Sent:
    """The payment under an id of its own."""
    return Sent(one.topic, one.key, one.value.replace(b'"transaction_id":"', b'"transaction_id":"again%d-' % n, 1))


def _pid(settings: Settings, name: str) -> int:
    process = supervise.processes(settings).get(name)
    if process is None or not process.pid:
        raise PlatformError(f"{name} does not run")
    return process.pid


def _reached(committed: Committed, goal: dict[int, int]) -> bool:
    places = [(topics.TRANSACTIONS, partition) for partition in goal]
    try:
        found = committed.read({"scorer": places}, 3.0)["scorer"]
    except KafkaException:
        return False  # the broker is away
    return all(place in found and found[place].offset >= goal[place[1]] for place in places)
