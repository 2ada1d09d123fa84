"""Columns to JSON, through the event structs, so that what is published is what driftloop decodes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.base.events import ENTRY_MODES, EntryMode, Label, Transaction
from streams.engine.codec import encode
from streams.publish.batch import SOURCES, Labels, Transactions

_MODES: list[EntryMode | None] = [*ENTRY_MODES, None]
_PINS: list[bool | None] = [False, True, None]


def _degrees(values: NDArray[np.float64]) -> list[float | None]:
    # Five decimals are a metre; more would be noise that costs bytes.
    rounded = np.round(values, 5)
    if not np.isnan(rounded).any():
        plain: list[float | None] = rounded.tolist()
        return plain
    boxed = rounded.astype(object)
    boxed[np.isnan(rounded)] = None
    with_gaps: list[float | None] = boxed.tolist()
    return with_gaps


def encode_transactions(columns: Transactions) -> list[bytes]:
    """One JSON object a row, in order."""
    rows = map(
        Transaction,
        columns.transaction_id.tolist(),
        columns.event_time_ms.tolist(),
        columns.card_id.tolist(),
        columns.terminal_id.tolist(),
        columns.amount_minor.tolist(),
        columns.currency.tolist(),
        _degrees(columns.latitude),
        _degrees(columns.longitude),
        columns.country.tolist(),
        columns.merchant_category.tolist(),
        [_MODES[i] for i in columns.entry_mode.tolist()],
        [_PINS[i] for i in columns.pin_used.tolist()],
    )
    return list(map(encode, rows))


def encode_labels(columns: Labels) -> list[bytes]:
    """One JSON object a row, in order."""
    rows = map(
        Label,
        columns.transaction_id.tolist(),
        columns.card_id.tolist(),
        columns.terminal_id.tolist(),
        columns.event_time_ms.tolist(),
        columns.is_fraud.tolist(),
        columns.label_time_ms.tolist(),
        [SOURCES[i] for i in columns.source.tolist()],
    )
    return list(map(encode, rows))


def keys(ids: NDArray[np.object_]) -> list[bytes]:
    """Record keys of a text column."""
    return [text.encode() for text in ids.tolist()]
