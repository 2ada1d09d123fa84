"""The processors of the loop, as data: one entry each, and all lists that are made of them.

Of these entries ``driftloop run``, the platform's processes and ports, the topics, the rights at the broker, the groups that the
lockstep waits for, the repartition, docs/events.md, docs/security.md and docs/streams.md are made. A processor is named by the
function that builds it, which is imported only where the processor runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any, Literal, Protocol, get_args

from features.base.broker_names import named
from streams import topics
from streams.topics import Topic

Guarantee = Literal["exactly once", "idempotent sink", "idempotent steps", "no stream"]

#: What each guarantee means, for the documentation.
MEANINGS: dict[Guarantee, str] = {
    "exactly once": "what it writes and its offsets are one Kafka transaction",
    "idempotent sink": "its sink takes the same rows again without harm, and is written before that transaction",
    "idempotent steps": "each step is acknowledged before its offset is committed, and a repeated one finds that it was done",
    "no stream": "reads no topic and commits nothing; a restart begins anew",
}

#: The guarantees of processors that the shell runs (``streams.engine.shell``).
_TRANSACTIONAL: frozenset[Guarantee] = frozenset({"exactly once", "idempotent sink"})


#: Names are consumer groups, users, parts of transactional ids, and keys of a TOML table.
_NAME = re.compile("[a-z][a-z0-9-]*")


class TopologyError(ValueError):
    """Entries that contradict each other, or a processor that does not do what its entry says."""


class Declared(Protocol):
    """What a core says of itself (``streams.engine.core.Core``)."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    replays: tuple[str, ...]


@dataclass(frozen=True)
class Processor:
    """One processor of the loop.

    ``reads``: topics in which its consumer group, which bears its name, commits. ``follows``: topics that it reads beside them;
    nobody waits until it has. ``replays``: those of ``reads`` from whose log its state is brought back, in this order.
    ``changelogs``: compacted topics of one partition that it alone reads and writes.
    ``process_group``: the process of the platform that it shares. ``alone``: ``build`` is a main function that takes the whole
    process until SIGTERM and returns nothing; else ``build`` returns a ``streams.engine.runner.Runnable``. Both take Settings.
    ``ports``: what it listens at beside its metrics, each with the name of its field in ``settings.ports``.
    """

    name: str
    purpose: str
    process_group: str
    build: str
    guarantee: Guarantee
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    replays: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()
    changelogs: tuple[str, ...] = ()
    ports: tuple[tuple[str, str], ...] = ()
    alone: bool = False

    @property
    def streams(self) -> bool:
        """Tell whether it speaks to Kafka."""
        return self.guarantee != "no stream"

    @property
    def transactional(self) -> bool:
        """Tell whether it commits in Kafka transactions."""
        return self.guarantee in _TRANSACTIONAL

    def load(self) -> Callable[[Any], Any]:
        """Import and return the function that ``build`` names. Raises TopologyError where there is none."""
        module, _, function = self.build.partition(":")
        try:
            builder: Callable[[Any], Any] = getattr(import_module(module), function)
        except (ModuleNotFoundError, AttributeError) as error:
            # A module that is missing further down is another fault than a wrong name here.
            if isinstance(error, ModuleNotFoundError) and not f"{module}.".startswith(f"{error.name}."):
                raise
            raise TopologyError(f"{self.name}: build = {self.build!r} names no function: {error}") from error
        return builder

    def check(self, core: Declared) -> None:
        """Raise TopologyError where a core reads, writes or replays something else than its entry says."""
        pairs = (
            ("name", core.name, self.name),
            ("inputs", core.inputs, self.reads),
            ("outputs", core.outputs, self.writes),
            ("replays", core.replays, self.replays),
        )
        for field, own, entry in pairs:
            if own != entry:
                raise TopologyError(
                    f"{self.name}: its core says {field} = {own!r}, its entry in streams/topology.py {entry!r}; make them agree"
                )


@dataclass(frozen=True)
class Topology:
    """Processors in the order in which records reach them. Raises TopologyError for entries that contradict each other."""

    processors: tuple[Processor, ...]

    def __post_init__(self) -> None:
        if twice := _twice(processor.name for processor in self.processors):
            raise TopologyError(f"two processors are named {twice}; a name is a consumer group, too")
        if twice := _twice(name for processor in self.processors for name in processor.changelogs):
            raise TopologyError(f"two processors have the changelog {twice}; each needs its own")
        for processor in self.processors:
            _check(processor)
        for process, names in self.processes.items():
            if len(names) > 1 and (alone := [name for name in names if self[name].alone]):
                raise TopologyError(f"{alone[0]} takes a whole process, and {process} has others: {', '.join(names)}")

    def __getitem__(self, name: str) -> Processor:
        return self._by_name[name]

    def __iter__(self) -> Iterator[Processor]:
        return iter(self.processors)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    @cached_property
    def _by_name(self) -> dict[str, Processor]:
        return {processor.name: processor for processor in self.processors}

    @property
    def streaming(self) -> tuple[Processor, ...]:
        """Return those that speak to Kafka."""
        return tuple(processor for processor in self.processors if processor.streams)

    @property
    def processes(self) -> dict[str, tuple[str, ...]]:
        """Return the platform's processes by name, with the processors that each runs."""
        by_process: dict[str, list[str]] = {}
        for processor in self.processors:
            by_process.setdefault(processor.process_group, []).append(processor.name)
        return {process: tuple(names) for process, names in by_process.items()}

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Return the consumer groups and what they read, in the order in which records reach them."""
        return {named(processor.name): processor.reads for processor in self.streaming}

    def process_of(self, names: Iterable[str]) -> str:
        """Return the process whose port these processors share: that which has them all, else the first one's name."""
        wanted = list(names)
        return next((process for process, runs in self.processes.items() if set(wanted) <= set(runs)), wanted[0])

    def ports(self, process: str) -> dict[str, str]:
        """Return what a process listens at beside its metrics: labels with the names of their fields in ``settings.ports``."""
        return {label: field for name in self.processes[process] for label, field in self[name].ports}

    def processes_with(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the processes in which one of these topics is read or written."""
        wanted = set(names)
        return tuple(
            process
            for process, runs in self.processes.items()
            if any(wanted & {*self[name].reads, *self[name].follows, *self[name].writes} for name in runs)
        )

    def writers(self, topic: str) -> tuple[str, ...]:
        """Return the processors that write a topic."""
        return tuple(processor.name for processor in self.processors if topic in (*processor.writes, *processor.changelogs))

    def topics(self, partitions: int) -> list[Topic]:
        """Return every topic of the loop, with the processors' changelogs; ``partitions``: of those that are spread."""
        own = [Topic(name, 1, {"cleanup.policy": "compact"}) for processor in self.processors for name in processor.changelogs]
        return [*topics.all_topics(partitions), *own]

    def markdown(self) -> str:
        """Return the table for docs/streams.md."""
        lines = ["| processor | for | reads | writes | state from | guarantee | process |", "| --- " * 7 + "|"]
        lines += [
            f"| `{processor.name}` | {processor.purpose} | {_cell((*processor.reads, *processor.follows))} "
            f"| {_cell((*processor.writes, *processor.changelogs))} "
            f"| {_cell((*processor.replays, *processor.changelogs))} | {processor.guarantee} | `{processor.process_group}` |"
            for processor in self.processors
        ]
        lines += ["", *(f"- *{guarantee}*: {meaning}." for guarantee, meaning in MEANINGS.items())]
        return "\n".join(lines) + "\n"


def _cell(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "-"


def _twice(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _check(processor: Processor) -> None:
    for field in ("name", "process_group"):
        if not _NAME.fullmatch(getattr(processor, field)):
            raise TopologyError(
                f"{processor.name}: {field} = {getattr(processor, field)!r}; use small letters, digits and hyphens"
            )
    for field in ("reads", "follows", "writes"):
        for topic in getattr(processor, field):
            if topic not in topics.NAMES:
                raise TopologyError(
                    f"{processor.name}: {field} names the topic {topic}, which is none of streams/topics.py; add it there"
                )
    if processor.guarantee not in get_args(Guarantee):
        raise TopologyError(
            f"{processor.name}: guarantee = {processor.guarantee!r}; it is one of {', '.join(get_args(Guarantee))}"
        )
    if stray := set(processor.replays) - set(processor.reads):
        raise TopologyError(f"{processor.name}: replays names {sorted(stray)[0]}, which it does not read")
    if processor.streams and not processor.reads:
        raise TopologyError(f"{processor.name}: reads is empty; a processor without input has the guarantee 'no stream'")
    if not processor.streams and (processor.reads or processor.follows or processor.writes or processor.changelogs):
        raise TopologyError(f"{processor.name}: has topics and the guarantee 'no stream'; say which guarantee its records have")
    if processor.streams and topics.DLQ not in processor.writes:
        raise TopologyError(f"{processor.name}: writes must name {topics.DLQ}: a record that it cannot take goes there")
    if processor.build.count(":") != 1:
        raise TopologyError(f"{processor.name}: build = {processor.build!r} is not of the form package.module:function")


TOPOLOGY = Topology(
    (
        Processor(
            name="model-server",
            purpose="answers predictions",
            process_group="model-server",
            build="serving.server.main:main",
            guarantee="no stream",
            ports=(("rest", "rest"), ("grpc", "grpc")),
            alone=True,
        ),
        Processor(
            name="scorer",
            purpose="scores events",
            process_group="scorer",
            build="infra.platform.scorer:build",
            guarantee="exactly once",
            reads=(topics.EVENTS,),
            writes=(topics.SCORES, topics.ALERTS, topics.EVENTS, topics.DLQ),
            replays=(topics.EVENTS,),
        ),
        Processor(
            name="feast-writer",
            purpose="fills the online store",
            process_group="writers",
            build="streams.writers.subject_activity:build",
            guarantee="idempotent sink",
            reads=(topics.SCORES,),
            writes=(topics.DLQ,),
        ),
        Processor(
            name="archive",
            purpose="fills the archive",
            process_group="writers",
            build="streams.writers.archive:build",
            guarantee="idempotent sink",
            reads=(topics.SCORES, topics.OUTCOMES),
            writes=(topics.DLQ,),
        ),
        Processor(
            name="label-joiner",
            purpose="joins labels to scores",
            process_group="writers",
            build="streams.labels.joiner:build",
            guarantee="exactly once",
            reads=(topics.LABELS, topics.SCORES),
            writes=(topics.OUTCOMES, topics.LABELS, topics.DLQ),
            replays=(topics.LABELS, topics.SCORES),
        ),
        Processor(
            name="counterpart-risk",
            purpose="fills the counterparts' risk",
            process_group="writers",
            build="streams.writers.counterpart_risk:build",
            guarantee="idempotent sink",
            reads=(topics.OUTCOMES,),
            writes=(topics.DLQ,),
            replays=(topics.OUTCOMES,),
        ),
        Processor(
            name="compaction",
            purpose="merges the archive's small files",
            process_group="writers",
            build="streams.writers.compaction_watch:build",
            guarantee="no stream",
        ),
        Processor(
            name="drift-monitor",
            purpose="watches for drift",
            process_group="drift-monitor",
            build="streams.drift.monitor:build",
            guarantee="exactly once",
            reads=(topics.SCORES, topics.OUTCOMES, topics.MODEL_EVENTS),
            writes=(topics.DRIFT_REPORTS, topics.RETRAIN_REQUESTS, topics.DLQ),
            replays=(topics.MODEL_EVENTS, topics.SCORES, topics.OUTCOMES),
        ),
        Processor(
            name="skew",
            purpose="computes served features again",
            process_group="drift-monitor",
            build="streams.drift.skew_watch:build",
            guarantee="no stream",
        ),
        Processor(
            name="control",
            purpose="starts runs, rolls versions out",
            process_group="control",
            build="retrain.control.faust.app:main",
            guarantee="idempotent steps",
            reads=(topics.RETRAIN_REQUESTS,),
            writes=(topics.MODEL_EVENTS, topics.RETRAIN_REQUESTS, topics.DLQ),
            # Reports are its clock; model-events tell it what it said before, and who asks for a roll-back.
            follows=(topics.DRIFT_REPORTS, topics.MODEL_EVENTS),
            changelogs=(named("control-runs-changelog"),),
            ports=(("web", "control"),),
            alone=True,
        ),
    )
)
