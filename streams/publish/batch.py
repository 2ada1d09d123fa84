"""What a source of events hands to the publisher: one stretch of event time, in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from features.base.active import DOMAIN

Strings: TypeAlias = NDArray[np.object_]


@dataclass(frozen=True)
class Events:
    """Columns of n events of the domain, by attribute (``features.base.event.Event``). Text columns are object arrays of str,
    None where the producer would leave the field out.

    ``others``: the domain's further attributes; one that is not there is left out of every event. Floats are NaN where unknown.
    ``mode`` and ``kind`` are positions in ``ROLES.modes`` and ``ROLES.kinds``, a yes or no is 0 or 1, all of them int8 with -1
    where unknown. Arrays must not be changed once the object is made.
    """

    event_id: Strings
    event_time_ms: NDArray[np.int64]
    subject: Strings
    counterpart: Strings
    measure: NDArray[np.int64]
    others: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.event_time_ms)

    def __getattr__(self, name: str) -> NDArray[Any]:
        """Return one of ``others``."""
        try:
            others: Mapping[str, NDArray[Any]] = object.__getattribute__(self, "others")
            return others[name]
        except (KeyError, AttributeError):
            raise AttributeError(f"these events have no column {name}") from None

    def column(self, name: str) -> NDArray[Any]:
        """Return a column by attribute."""
        column: NDArray[Any] = getattr(self, name)
        return column

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Events:
        """Return the chosen rows, in the order asked for."""
        core = {name: getattr(self, name)[rows] for name in CORE}
        return Events(**core, others={name: column[rows] for name, column in self.others.items()})

    def changed(self, **columns: NDArray[Any]) -> Events:
        """Return the same events with other columns."""
        core = {name: columns.get(name, getattr(self, name)) for name in CORE}
        return Events(**core, others={name: columns.get(name, column) for name, column in self.others.items()})

    @staticmethod
    def joined(parts: Sequence[Events]) -> Events:
        """Join the events of at least one part, one behind the other; all have the same columns."""
        core = {name: np.concatenate([getattr(part, name) for part in parts]) for name in CORE}
        others = {name: np.concatenate([part.others[name] for part in parts]) for name in parts[0].others}
        return Events(**core, others=others)


#: The columns that every event has.
CORE = ("event_id", "event_time_ms", "subject", "counterpart", "measure")


@dataclass(frozen=True)
class Truth:
    """What really happened to the n transactions beside it: ``pattern`` indexes ``names``; 0 is ``negative``."""

    pattern: NDArray[np.int8]
    names: tuple[str, ...]

    @property
    def positive(self) -> NDArray[np.bool_]:
        return self.pattern > 0


#: Positions of ``Labels.source``.
SOURCES = DOMAIN.labels.sources


@dataclass(frozen=True)
class Labels:
    """Columns of n labels. ``source`` is the position in SOURCES; ``label_time_ms`` says when the label is published."""

    event_id: Strings
    subject: Strings
    counterpart: Strings
    event_time_ms: NDArray[np.int64]
    positive: NDArray[np.bool_]
    label_time_ms: NDArray[np.int64]
    source: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.label_time_ms)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Labels:
        """Return the chosen rows, in the order asked for."""
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @staticmethod
    def of(
        transactions: Events,
        rows: NDArray[np.int64],
        positive: NDArray[np.bool_],
        label_time_ms: NDArray[np.int64],
        source: NDArray[np.int8],
    ) -> Labels:
        """Make labels of the transactions at ``rows`` [n], in order of their label time; the other arrays are [n] too."""
        order = np.argsort(label_time_ms, kind="stable")
        at = rows[order]
        return Labels(
            transactions.event_id[at],
            transactions.subject[at],
            transactions.counterpart[at],
            transactions.event_time_ms[at],
            positive[order],
            label_time_ms[order],
            source[order],
        )


def concat_labels(parts: Sequence[Labels]) -> Labels:
    """Return all labels of ``parts`` (at least one), in order of label time; equal times keep the order of the parts."""
    joined = Labels(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Labels)))
    return joined.take(np.argsort(joined.label_time_ms, kind="stable"))


def no_labels() -> Labels:
    """Return labels of length 0."""
    text = np.empty(0, dtype=object)
    times = np.empty(0, dtype=np.int64)
    return Labels(text, text, text, times, np.empty(0, dtype=np.bool_), times, np.empty(0, dtype=np.int8))


@dataclass(frozen=True)
class Batch:
    """Everything that happens in [start_ms, end_ms): transactions in event-time order, and the labels of *these* transactions.

    A label's time may lie beyond ``end_ms``: whoever publishes keeps it until then. Batches of one source follow each other
    without overlap.
    """

    start_ms: int
    end_ms: int
    transactions: Events
    truth: Truth
    labels: Labels
