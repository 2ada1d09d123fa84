"""What the schema allows, checked at the source: the limits of the event structs over columns.

They are read from the structs themselves (``msgspec.inspect``), so what passes here is what the processors decode.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
import numpy as np
from msgspec import inspect
from numpy.typing import NDArray

from features.base.active import DOMAIN, ROLES
from features.base.events import Label
from streams.publish.batch import SOURCES, Batch, Events, Labels

#: Tells what is wrong with a text (None for one that is left out); None where nothing is.
_Judge = Callable[[Any], str | None]


@dataclass(frozen=True)
class Wrong:
    """The first value that the schema does not allow: ``row`` counts from 0, ``name`` is the field's on the wire."""

    attribute: str
    name: str
    row: int
    why: str


class LimitError(ValueError):
    """An event that no processor would take was to be published; the message names field, id and limit."""


@dataclass(frozen=True)
class _Limits:
    """``least``, ``most``: of numbers, both included. ``judge``: of a text column's values. ``lengths``: the fewest and the most
    characters of a text where nothing else is asked of it, and whether it may be left out."""

    name: str
    least: float | None
    most: float | None
    judge: _Judge
    lengths: tuple[int, int, bool] | None

    def fits(self, values: set[Any]) -> bool:
        """Tell quickly that all texts are good; where it says no, ``judge`` has to look at each."""
        if self.lengths is None:
            return False
        fewest, most, optional = self.lengths
        if optional:
            values.discard(None)
        if not values:
            return True
        try:
            "".join(values).encode()
        except (TypeError, UnicodeEncodeError):
            return False
        sizes = list(map(len, values))
        return fewest <= min(sizes) and max(sizes) <= most


def first_wrong(events: Events) -> Wrong | None:
    """Return the first value of ``events`` that the domain's event must not have, None where all is well."""
    columns = ((name, events.column(name)) for name in _limits(DOMAIN.event) if _is_there(events, name))
    return _first(DOMAIN.event, columns, {"mode": len(ROLES.modes), "kind": len(ROLES.kinds)})


def first_wrong_label(labels: Labels) -> Wrong | None:
    """Return the first value of ``labels`` that a label must not have, None where all is well."""
    columns = ((name, getattr(labels, name)) for name in _limits(Label))
    return _first(Label, columns, {"source": len(SOURCES)})


def check(batch: Batch) -> None:
    """Raise LimitError where a processor would not take an event or label of the batch."""
    for wrong, ids in (
        (first_wrong(batch.transactions), batch.transactions.event_id),
        (first_wrong_label(batch.labels), batch.labels.event_id),
    ):
        if wrong is not None:
            raise LimitError(f"{wrong.name} of {str(ids[wrong.row])[:80]!r} {wrong.why}; no processor would take it")


def _is_there(events: Events, name: str) -> bool:
    return hasattr(events, name)


def _first(kind: type[msgspec.Struct], columns: Iterable[tuple[str, NDArray[Any]]], codes: Mapping[str, int]) -> Wrong | None:
    """Find the first wrong value. ``codes``: of columns that are places in a list, how many it has; other small integers are a
    yes or no."""
    limits = _limits(kind)
    for name, column in columns:
        at, why = _wrong_in(column, limits[name], codes.get(name, 2))
        if why is not None:
            return Wrong(name, limits[name].name, at, why)
    return None


def _wrong_in(column: NDArray[Any], limits: _Limits, codes: int) -> tuple[int, str | None]:
    """Return the row and the reason of the first wrong value of a column."""
    if not len(column) or column.dtype == np.bool_:
        return 0, None
    if column.dtype == object:
        # Most texts come again and again: each is looked at once.
        values = set(column.tolist())
        if limits.fits(values):
            return 0, None
        bad = {value: why for value in values if (why := limits.judge(value)) is not None}
        at = next((i for i, value in enumerate(column.tolist()) if value in bad), 0) if bad else 0
        return at, bad[column[at]] if bad else None
    if column.dtype == np.int8:
        wrong, why = (column >= codes) | (column < -1), f"is no code below {codes}"
    else:
        wrong = np.isinf(column) if column.dtype.kind == "f" else np.zeros(len(column), dtype=np.bool_)
        if limits.least is not None:
            wrong = wrong | (column < limits.least)
        if limits.most is not None:
            wrong = wrong | (column > limits.most)
        why = f"is {column[_row(wrong)]}, and it must be from {limits.least} to {limits.most}"
    return _row(wrong), why if wrong.any() else None


def _row(wrong: NDArray[np.bool_]) -> int:
    return int(np.argmax(wrong))


@cache
def _limits(kind: type[msgspec.Struct]) -> dict[str, _Limits]:
    """Return the limits of a struct's fields, by attribute."""
    limits_by_field = inspect.type_info(kind)
    assert isinstance(limits_by_field, inspect.StructType)
    return {field.name: _of(field.encode_name, field.type) for field in limits_by_field.fields}


def _of(name: str, kind: inspect.Type) -> _Limits:
    options = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    optional = any(isinstance(option, inspect.NoneType) for option in options)
    least: float | None = None
    most: float | None = None
    texts: list[_Judge] = []
    lengths = None
    for option in options:
        if isinstance(option, inspect.IntType):
            least = option.ge if option.ge is not None else None if option.gt is None else option.gt + 1
            most = option.le if option.le is not None else None if option.lt is None else option.lt - 1
        elif isinstance(option, inspect.FloatType):
            least, most = option.ge, option.le
        elif isinstance(option, inspect.StrType):
            texts.append(_text_judge(option))
            if not option.pattern and option.max_length is not None:
                lengths = option.min_length or 0, option.max_length, optional
        elif isinstance(option, inspect.LiteralType):
            texts.append(_choice_judge(option))

    def judge(value: Any) -> str | None:
        if value is None:
            return None if optional else "is missing"
        if not isinstance(value, str):
            return f"is {value!r}, which is no text"
        reasons = [text(value) for text in texts]
        return None if not reasons or None in reasons else reasons[0]

    return _Limits(name, least, most, judge, lengths if len(texts) == 1 else None)


def _text_judge(kind: inspect.StrType) -> _Judge:
    least, most = kind.min_length or 0, kind.max_length
    pattern = re.compile(kind.pattern) if kind.pattern else None

    def judge(value: str) -> str | None:
        length = len(value)
        if length < least:
            return "is empty" if not length else f"has {length} characters, and it must have {least} at least"
        if most is not None and length > most:
            return f"has {length:,} characters, and it may have {most:,} at most"
        if pattern is not None and pattern.search(value) is None:
            return f"is {value!r}, and it must be written as {pattern.pattern}"
        try:
            value.encode()
        except UnicodeEncodeError:
            return "is no text that UTF-8 can hold"
        return None

    return judge


def _choice_judge(kind: inspect.LiteralType) -> _Judge:
    def judge(value: str) -> str | None:
        return None if value in kind.values else f"is {value!r}, and it is one of {', '.join(map(str, kind.values))}"

    return judge
