"""Checks of tables that use names of columns or of event fields, made when their module is loaded.

A name that exists nowhere does no harm that one could see: a set has nothing to discard, a struct takes its default, Spark reads
nulls. So whoever writes names down has them checked beside the table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches

import msgspec

_SHOWN = 40


class UnknownName(ValueError):
    """A table uses a name that does not exist; the message says which, where it stands, and what there is instead."""


def check(where: str, names: Iterable[str], known: Collection[str], what: str) -> None:
    """Raise UnknownName for the first of ``names`` that is not in ``known``.

    ``where``: the table, as module and name, say ``streams.scoring.fallback_rules.RULES``. ``what``: what a name stands for, say
    ``column``.
    """
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            more = ", ..." if len(known) > _SHOWN else ""
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(list(known)[:_SHOWN])}{more}"
            raise UnknownName(f"{where} names {name!r}, which is no {what}; {hint}")


def check_view(view: type[msgspec.Struct], event: type[msgspec.Struct]) -> None:
    """Raise UnknownName where ``view``, which decodes a part of ``event``'s JSON, has a field that ``event`` has not.

    Structs within structs are checked, too.
    """
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(event)}
    wanted = {field.encode_name: field.type for field in msgspec.structs.fields(view)}
    check(f"{view.__module__}.{view.__qualname__}", wanted, fields, f"field of {event.__name__}")
    for name, inner in wanted.items():
        if _is_struct(inner) and _is_struct(fields[name]):
            check_view(inner, fields[name])


def check_ddl(where: str, ddl: str, known: Collection[str], what: str) -> None:
    """Do ``check`` for the columns of a Spark schema, ``name type, name type``: of one that is not there Spark reads nulls."""
    check(where, (column.split()[0] for column in ddl.split(",")), known, what)


def _is_struct(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
