"""Who may do what at the broker: the users of a secure platform and their rights. docs/security.md shows this table.

A processor reads the topics of its core, writes what follows from them, commits in the one group of its name, and opens
transactions under ids that begin with its name. What is not here is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from features.base.broker_names import named
from features.base.settings import ONLOOKER
from streams.topics import ALERTS, DLQ, DLQ_HANDLED, EVENTS, LABELS, MODEL_EVENTS, NAMES, SCORES
from streams.topology import TOPOLOGY, Processor, Topology

#: Groups of readers that join nobody and commit nothing: brokers want a name from them, too.
_LONELY = "driftloop-"


@dataclass(frozen=True)
class Access:
    """The rights of one user. ``groups``: may be joined and committed in; ``looks_at``: may be asked about; a name that ends in
    * stands for all that begin so."""

    user: str
    purpose: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    looks_at: tuple[str, ...] = ()
    transactional_ids: tuple[str, ...] = ()


def of_processor(processor: Processor) -> Access:
    """Return the rights that a processor needs."""
    return Access(
        processor.name,
        processor.purpose,
        (*processor.reads, *processor.follows, *processor.changelogs),
        (*processor.writes, *processor.changelogs),
        (named(processor.name),),
        (f"{_LONELY}*",),
        (f"driftloop-{named(processor.name)}-*",) if processor.transactional else (),
    )


#: Users that are no processor.
_PEOPLE = (
    Access("producer", "publishes events and labels: your programs, `simulate`, `replay`", (), (EVENTS, LABELS)),
    Access(
        "analyst",
        "reads alerts and says what they were: your programs, `alerts`",
        (ALERTS,),
        (LABELS,),
        ("analyst*",),
        (f"{_LONELY}*",),
    ),
    Access(
        "operator",
        "asks for a retraining or a roll-back, replays dead letters: `retrain`, `rollback`, `dlq`",
        (SCORES, MODEL_EVENTS, DLQ, DLQ_HANDLED),
        tuple(name for name in NAMES if name != ALERTS),
        (),
        (f"{_LONELY}*",),
        (f"driftloop-{named('dlq')}",),
    ),
    Access("jobs", "reads topics in Spark: `job`, `parity`", (EVENTS, SCORES), (), (), ("spark-kafka-*",)),
    Access(ONLOOKER, "looks and changes nothing: `status`, `drift`, `dlq list`, the lockstep", NAMES, (), (), ("*",)),
)


def table(topology: Topology = TOPOLOGY) -> tuple[Access, ...]:
    """Return the rights of every user: first of the processors that speak to Kafka, as their entries say."""
    return (*map(of_processor, topology.streaming), *_PEOPLE)


TABLE = table()
BY_USER = {access.user: access for access in TABLE}
USERS = tuple(BY_USER)

Kind = Literal["topic", "group", "transactional_id"]
Operation = Literal["read", "write", "describe"]


class Rule(NamedTuple):
    """One rule as the broker knows it; ``prefixed``: of all names that begin with ``name``."""

    user: str
    kind: Kind
    name: str
    prefixed: bool
    operation: Operation


def rules(accesses: Iterable[Access] = TABLE) -> Iterator[Rule]:
    """Yield the table as the broker's rules. To read or to write includes to describe."""
    for access in accesses:
        wanted: tuple[tuple[Kind, Operation, tuple[str, ...]], ...] = (
            ("topic", "read", access.reads),
            ("topic", "write", access.writes),
            ("group", "read", access.groups),
            ("group", "describe", access.looks_at),
            ("transactional_id", "write", access.transactional_ids),
        )
        for kind, operation, names in wanted:
            for name in names:
                # A lone * is the broker's own word for all.
                prefixed = name != "*" and name.endswith("*")
                yield Rule(access.user, kind, name.removesuffix("*") if prefixed else name, prefixed, operation)


def markdown(accesses: Iterable[Access] = TABLE) -> str:
    """Return the table for docs/security.md."""

    def cell(names: tuple[str, ...]) -> str:
        return ", ".join(f"`{name}`" for name in names) or "-"

    head = "| user | for | reads topics | writes topics | commits in groups | asks about groups | transactional ids |"
    lines = [head, "| --- " * 7 + "|"]
    lines += [
        f"| `{access.user}` | {access.purpose} | {cell(access.reads)} | {cell(access.writes)} | {cell(access.groups)} "
        f"| {cell(access.looks_at)} | {cell(access.transactional_ids)} |"
        for access in accesses
    ]
    return "\n".join(lines) + "\n"
