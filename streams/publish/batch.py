"""What a source of transactions hands to the publisher: one stretch of event time, in columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Strings: TypeAlias = NDArray[np.object_]


@dataclass(frozen=True)
class Transactions:
    """Columns of n transactions. Text columns are object arrays of str, None where the producer would leave the field out.

    ``latitude`` and ``longitude`` are NaN where unknown. ``entry_mode`` is the position in ``features.base.events.ENTRY_MODES``
    and ``pin_used`` 0 or 1; both are -1 where unknown. Arrays must not be changed once the object is made.
    """

    transaction_id: Strings
    event_time_ms: NDArray[np.int64]
    card_id: Strings
    terminal_id: Strings
    amount_minor: NDArray[np.int64]
    currency: Strings
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    country: Strings
    merchant_category: Strings
    entry_mode: NDArray[np.int8]
    pin_used: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.event_time_ms)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Transactions:
        """The chosen rows, in the order asked for."""
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})


@dataclass(frozen=True)
class Truth:
    """What really happened to the n transactions beside it: ``pattern`` indexes ``names``; 0 is ``genuine``."""

    pattern: NDArray[np.int8]
    names: tuple[str, ...]

    @property
    def is_fraud(self) -> NDArray[np.bool_]:
        return self.pattern > 0


#: Positions of ``Labels.source``.
SOURCES = ("chargeback", "analyst")


@dataclass(frozen=True)
class Labels:
    """Columns of n labels. ``source`` is the position in SOURCES; ``label_time_ms`` says when the label is published."""

    transaction_id: Strings
    card_id: Strings
    terminal_id: Strings
    event_time_ms: NDArray[np.int64]
    is_fraud: NDArray[np.bool_]
    label_time_ms: NDArray[np.int64]
    source: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.label_time_ms)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Labels:
        """The chosen rows, in the order asked for."""
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @staticmethod
    def of(
        transactions: Transactions,
        rows: NDArray[np.int64],
        is_fraud: NDArray[np.bool_],
        label_time_ms: NDArray[np.int64],
        source: NDArray[np.int8],
    ) -> Labels:
        """Labels of the transactions at ``rows`` [n], in order of their label time; the other arrays are [n] too."""
        order = np.argsort(label_time_ms, kind="stable")
        at = rows[order]
        return Labels(
            transactions.transaction_id[at],
            transactions.card_id[at],
            transactions.terminal_id[at],
            transactions.event_time_ms[at],
            is_fraud[order],
            label_time_ms[order],
            source[order],
        )


def concat_labels(parts: Sequence[Labels]) -> Labels:
    """All labels of ``parts`` (at least one), in order of label time; equal times keep the order of the parts."""
    joined = Labels(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Labels)))
    return joined.take(np.argsort(joined.label_time_ms, kind="stable"))


def no_labels() -> Labels:
    """Labels of length 0."""
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
    transactions: Transactions
    truth: Truth
    labels: Labels
