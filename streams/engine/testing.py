"""Runs a processor without a broker, as Kafka Streams' TopologyTestDriver does: the real shell over a broker in memory.

A script says what happens, in the order in which it happens: records come, a batch is cut, a transaction is given up, partitions
move, the process is killed. Everything runs in the caller's thread and gives the same each time::

    driver = Driver(settings, lambda: LabelJoiner(delay_ms))
    driver.run([*labels, *scores, Batch(3), Abort(), Batch(5), Move((0,), Batch(2)), Kill(), End()])
    driver.read(topics.OUTCOMES)

What is real: ``Shell``, ``InHand``, ``Told``, ``Keeper`` with its store, ``replay`` and ``Transactions``; only their clients are
``streams.kafka.in_memory``. So state is dropped, brought back and snapshotted by the code that does it in production.
What stays with tests on a broker: how a group agrees on who gets what and refuses the commit of a member that it has forgotten,
librdkafka's queues and time-outs, brokers that go away, and ``TransactionCoordinator``'s own faults.

The script's clock stands still between steps. By it records are dated and snapshots are due; a core that asks the machine's clock
is not held by it, and the shell's pauses (0.1 s after an abort) are real.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from features.base.broker_names import named
from features.base.settings import Settings
from streams import topics
from streams.engine.core import Core, Sink
from streams.engine.shell import Shell
from streams.engine.snapshot_store import Store
from streams.kafka.in_memory.broker import InMemory
from streams.kafka.in_memory.cluster import Cluster
from streams.kafka.in_memory.consumer import Consumer
from streams.kafka.records import Partition, Record

_WRITTEN_S = 30.0


@dataclass(frozen=True)
class Batch:
    """The next so many records are one micro-batch; fewer, where there are fewer."""

    records: int


@dataclass(frozen=True)
class Abort:
    """The next transaction is given up when it is to be committed."""


@dataclass(frozen=True)
class Move:
    """Partitions go to another member, which takes ``batch`` and leaves; then they come back. A core of several topics moves the
    partitions of one number together. ``partitions`` None: all. ``lost``: the group went on without asking the first member."""

    partitions: tuple[int, ...] | None = None
    batch: Batch | None = None
    lost: bool = False


@dataclass(frozen=True)
class Snapshot:
    """Copies are due: of one partition after the other, a step after each turn of the loop."""


@dataclass(frozen=True)
class Written:
    """Turns of the loop without records, until what was due has been written."""


@dataclass(frozen=True)
class Kill:
    """The process ends at once, as by SIGKILL, and a new one begins. ``committing``: with the next transaction open and all of it
    written."""

    committing: bool = False


@dataclass(frozen=True)
class End:
    """Read on, in batches of ``Shell``'s size, up to the end of every partition (EOF)."""


#: A record is published when its turn comes; a function is called.
Step = Record | Batch | Abort | Move | Snapshot | Written | Kill | End | Callable[[], None]


class Clock:
    """``now_ms``: the broker's, settable; wall and monotonic in one."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def advance(self, seconds: float) -> None:
        self.now_ms += int(seconds * 1000)

    def seconds(self) -> float:
        return self.now_ms / 1000


class Rows:
    """A sink that keeps what it is given, in ``rows``: at least once, as every sink."""

    unavailable: tuple[type[Exception], ...] = ()

    def __init__(self) -> None:
        self.rows: list[Any] = []

    def write(self, rows: list[Any]) -> None:
        self.rows += rows


class _Killed(BaseException):
    """Nothing of the process may answer it."""


class Driver:
    """A cluster with the processor's topics, and one life of the processor after the other.

    ``make``: the core of each life; ``sink``: where rows go; ``started``: called with each core and its shell before it runs.
    Topics that ``streams.topics`` does not know have as many partitions as the settings say.
    """

    def __init__(
        self,
        settings: Settings,
        make: Callable[[], Core],
        sink: Sink | None = None,
        *,
        max_batch: int | None = None,
        now_ms: int = 1_767_571_200_000,
        started: Callable[[Core, Shell], None] = lambda core, shell: None,
    ) -> None:
        self.settings = settings
        self.clock = Clock(now_ms)
        self.cluster = Cluster(lambda: self.clock.now_ms)
        self.sink = sink
        self.core = make()
        self._first: Core | None = self.core
        self._make = make
        self._max_batch = max_batch
        self._started = started
        known = {topic.name: topic.partitions for topic in topics.all_topics(settings.partitions)}
        self.cluster.create({name: known.get(name, settings.partitions) for name in (*self.core.inputs, *self.core.outputs)})

    @property
    def group(self) -> str:
        return named(self.core.name)

    def run(self, steps: Iterable[Step]) -> None:
        """Run one life of the processor, or several, where it is killed in between; at the end it is stopped in good order.

        Raises what the processor ends by.
        """
        left = deque(steps)
        while True:
            member = self._member("0", left, None)
            self.core = member.core
            try:
                member.shell.run()
            except _Killed:
                if left:
                    continue
            return

    def read(self, topic: str) -> list[Record]:
        """Return what committed readers see of a topic, by partition."""
        return self.cluster.read(topic)

    def committed(self) -> dict[Partition, int]:
        """Return the group's offsets."""
        places = [place for topic in self.core.inputs for place in self.cluster.partitions(topic)]
        commits = {place: self.cluster.committed(self.group, place) for place in places}
        return {place: commit.offset for place, commit in commits.items() if commit is not None}

    def snapshots(self) -> Store:
        """Return the store of the processor's snapshots."""
        return Store(self.settings.snapshot_root, named(self.core.name)).of_cluster(self.cluster.cluster_id)

    def _member(self, instance: str, steps: deque[Step], partitions: tuple[int, ...] | None) -> _Member:
        core, self._first = self._first or self._make(), None
        return _Member(self, core, instance, steps, partitions)

    def places(self, partitions: tuple[int, ...] | None) -> list[Partition]:
        """Return these partitions of every topic that is read; None: all."""
        every = [place for topic in self.core.inputs for place in self.cluster.partitions(topic)]
        return [place for place in every if partitions is None or place[1] in partitions]


class _Member:
    """One process of the group: its shell, and what happens to it."""

    def __init__(self, driver: Driver, core: Core, instance: str, steps: deque[Step], partitions: tuple[int, ...] | None) -> None:
        self.core = core
        self._driver = driver
        self._steps = steps
        self._partitions = partitions
        #: How many records the batch in hand may still take; None between two batches.
        self._due: int | None = None
        #: What was committed when snapshots were due, and until when they may take.
        self._wanted: dict[Partition, int] = {}
        self._written_by = math.inf
        self._broker = InMemory(driver.cluster, self._pace)
        self.shell = Shell(
            driver.settings,
            core,
            driver.sink,
            driver._max_batch,
            linger_s=0.0,
            instance=instance,
            broker=self._broker,
            clock=driver.clock.seconds,
        )
        self._began = False
        driver._started(core, self.shell)

    def _pace(self, source: Consumer, wanted: int) -> int:
        """Return how many records the shell is handed: the script goes on as it polls."""
        if not self._began:
            self._began = True
            source.give(self._driver.places(self._partitions))
        if self._due is not None and wanted > 1:
            # The second call of one poll: what else is of this batch.
            rest, self._due = self._due, None
            return rest
        self._due = None
        while self._steps:
            count = self._step(source, self._steps[0])
            if count is not None:
                return count
        self.shell.stop()
        return 0

    def _step(self, source: Consumer, step: Step) -> int | None:
        """Take the step, and drop it where it is done; return how many records come, None: on to the next step."""
        if isinstance(step, Batch):
            return self._batch(source, step.records, last=True)
        if isinstance(step, End):
            return self._batch(source, self._driver.settings.scoring.max_batch, last=False)
        if isinstance(step, Written):
            return self._until_written()
        self._steps.popleft()
        if isinstance(step, Record):
            self._driver.cluster.publish([step])
        elif isinstance(step, Abort):
            self._driver.cluster.trouble = self._abort
        elif isinstance(step, Move):
            self._move(source, step)
        elif isinstance(step, Snapshot):
            self._driver.clock.advance(self._driver.settings.snapshots.interval_s)
            committed = self._driver.committed()
            self._wanted = {place: committed.get(place, 0) for place in source.assigned if place[0] in self.core.replays}
        elif isinstance(step, Kill):
            if not step.committing:
                self._kill()
            self._driver.cluster.trouble = self._kill
        else:
            step()
        return None

    def _batch(self, source: Consumer, records: int, *, last: bool) -> int | None:
        ready = source.ready > 0
        if not ready and source.waits:
            return 0  # the core waits for something that is away
        if last or not ready:
            self._steps.popleft()
        if not ready:
            return 0
        self._due = records - 1
        return 1

    def _until_written(self) -> int | None:
        store = self._driver.snapshots()
        if all(max(store.offsets(*place), default=0) >= offset for place, offset in self._wanted.items()):
            self._steps.popleft()
            self._written_by = math.inf
            return None
        self._written_by = min(self._written_by, time.monotonic() + _WRITTEN_S)
        if time.monotonic() > self._written_by:
            raise TimeoutError(f"no snapshot of {self._wanted} was written within {_WRITTEN_S:.0f} s; is its path writable?")
        return 0

    def _move(self, source: Consumer, step: Move) -> None:
        places = [place for place in self._driver.places(step.partitions) if place in source.assigned]
        source.take(places, lost=step.lost)
        steps: deque[Step] = deque([step.batch] if step.batch is not None else [])
        numbers = tuple(dict.fromkeys(number for _, number in places))
        self._driver._member("other", steps, numbers).shell.run()
        source.give(places)

    def _abort(self) -> None:
        self._driver.cluster.trouble = lambda: None
        raise KafkaException(KafkaError(KafkaError.INVALID_TXN_STATE, "given up on purpose", False, False, True))

    def _kill(self) -> None:
        self._driver.cluster.trouble = lambda: None
        self._broker.die()
        raise _Killed
