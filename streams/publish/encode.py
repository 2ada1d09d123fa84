"""Columns to JSON, through the event structs, so that what is published is what driftloop decodes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.base.active import DOMAIN, ROLES
from features.base.events import Label
from streams.engine.codec import encode
from streams.publish.batch import SOURCES, Events, Labels
from streams.wire.encode import Encode

_MODES: list[str | None] = [*ROLES.modes, None]
#: The first kind is left out: whoever names none means it.
_KINDS: list[str | None] = [None, *ROLES.kinds[1:], None]
_YES_NO: list[bool | None] = [False, True, None]


def values(name: str, column: NDArray[Any]) -> list[Any]:
    """Return a column of ``Events`` as an event's attribute ``name`` holds it."""
    if column.dtype == np.int8:
        names: list[Any] = {"mode": list(_MODES), "kind": list(_KINDS)}.get(name, list(_YES_NO))
        return [names[i] for i in column.tolist()]
    if column.dtype.kind == "f":
        return _rounded(column)
    plain: list[Any] = column.tolist()
    return plain


def _rounded(column: NDArray[np.float64]) -> list[float | None]:
    # Five decimals of a degree are a metre; more would be noise that costs bytes.
    rounded = np.round(column, 5)
    if not np.isnan(rounded).any():
        plain: list[float | None] = rounded.tolist()
        return plain
    boxed = rounded.astype(object)
    boxed[np.isnan(rounded)] = None
    with_gaps: list[float | None] = boxed.tolist()
    return with_gaps


def encode_events(columns: Events, write: Encode = encode) -> list[bytes]:
    """Return one value a row, in order: a JSON object, or what ``write`` makes of an event."""
    event, n = DOMAIN.event, len(columns)
    defaults = dict(zip(event.__struct_fields__[-len(event.__struct_defaults__) :], event.__struct_defaults__, strict=True))
    known = {"event_id", "event_time_ms", "subject", "counterpart", "measure", *columns.others}
    rows = map(
        event,
        *(values(name, columns.column(name)) if name in known else [defaults[name]] * n for name in event.__struct_fields__),
    )
    return list(map(write, rows))


def encode_labels(columns: Labels, write: Encode = encode) -> list[bytes]:
    """Return one value a row, in order: a JSON object, or what ``write`` makes of a label."""
    rows = map(
        Label,
        columns.event_id.tolist(),
        columns.subject.tolist(),
        columns.counterpart.tolist(),
        columns.event_time_ms.tolist(),
        columns.positive.tolist(),
        columns.label_time_ms.tolist(),
        [SOURCES[i] for i in columns.source.tolist()],
    )
    return list(map(write, rows))


class Written(NamedTuple):
    """How events and labels are written as values."""

    events: Encode = encode
    labels: Encode = encode


def keys(ids: NDArray[np.object_]) -> list[bytes]:
    """Return record keys of a text column."""
    return [text.encode() for text in ids.tolist()]
