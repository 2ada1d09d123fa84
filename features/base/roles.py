"""Which field of a domain's event plays which part, by its name on the wire: derived from the struct."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args, get_origin

import msgspec

from features.base.event import Event

#: The attributes that the engine reads where a domain has them.
OPTIONAL = ("category", "mode", "flag", "kind", "latitude", "longitude")

#: The first kind, and as many others as a row of a history tells apart (``features.history.row_layout.OTHER_KINDS``).
MOST_KINDS = 8


class DomainError(ValueError):
    """A domain is not one; the message says what is missing or wrong and where."""


@dataclass(frozen=True)
class Roles:
    """Names on the wire. None where the domain has no such field. ``modes`` and ``kinds``: the values of ``mode`` and ``kind``,
    in their order; an event that names no kind is of the first."""

    id: str
    time: str
    subject: str
    counterpart: str
    measure: str
    category: str | None
    mode: str | None
    flag: str | None
    place: tuple[str, str] | None
    modes: tuple[str, ...]
    kind: str | None = None
    kinds: tuple[str, ...] = ()


def roles_of(event: type[Event]) -> Roles:
    """Read the roles off a struct. Raises DomainError where a field cannot play its part."""
    fields = {field.name: field for field in msgspec.structs.fields(event)}
    wire = {name: field.encode_name for name, field in fields.items()}
    for name in OPTIONAL:
        if name in fields and fields[name].default is not None:
            raise DomainError(f"{event.__name__}.{name} must be optional: give it the default None")
    if ("latitude" in fields) != ("longitude" in fields):
        raise DomainError(f"{event.__name__} has one half of a place; declare latitude and longitude, or neither")
    modes, kinds = (_literal(name, fields[name].type) if name in fields else () for name in ("mode", "kind"))
    if len(modes) > 127:
        raise DomainError(f"{event.__name__}.mode has {len(modes)} values, and 127 are kept apart at most")
    if len(kinds) > MOST_KINDS:
        raise DomainError(f"{event.__name__}.kind has {len(kinds)} values, and {MOST_KINDS} are kept apart at most")
    return Roles(
        id=wire["event_id"],
        time=wire["event_time_ms"],
        subject=wire["subject"],
        counterpart=wire["counterpart"],
        measure=wire["measure"],
        category=wire.get("category"),
        mode=wire.get("mode"),
        flag=wire.get("flag"),
        place=(wire["latitude"], wire["longitude"]) if "latitude" in fields else None,
        modes=modes,
        kind=wire.get("kind"),
        kinds=kinds,
    )


def _literal(name: str, annotation: object) -> tuple[str, ...]:
    """Return the texts of ``Literal[...] | None``. Raises DomainError, naming the field, for others."""
    for part in (annotation, *get_args(annotation)):
        if get_origin(part) is Literal:
            return tuple(str(value) for value in get_args(part))
    raise DomainError(f"{name} must be a Literal of its values, or None")
