"""Which field of a domain's event plays which part, by its name on the wire: derived from the struct."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args, get_origin

import msgspec

from features.base.event import Event

#: The attributes that the engine reads where a domain has them.
OPTIONAL = ("category", "mode", "flag", "latitude", "longitude")


class DomainError(ValueError):
    """A domain is not one; the message says what is missing or wrong and where."""


@dataclass(frozen=True)
class Roles:
    """Names on the wire. None where the domain has no such field. ``modes``: the values of ``mode``, in their order."""

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


def roles_of(event: type[Event]) -> Roles:
    """Read the roles off a struct. Raises DomainError where a field cannot play its part."""
    fields = {field.name: field for field in msgspec.structs.fields(event)}
    wire = {name: field.encode_name for name, field in fields.items()}
    for name in OPTIONAL:
        if name in fields and fields[name].default is not None:
            raise DomainError(f"{event.__name__}.{name} must be optional: give it the default None")
    if ("latitude" in fields) != ("longitude" in fields):
        raise DomainError(f"{event.__name__} has one half of a place; declare latitude and longitude, or neither")
    modes = _literal(fields["mode"].type) if "mode" in fields else ()
    if len(modes) > 127:
        raise DomainError(f"{event.__name__}.mode has {len(modes)} values, and 127 are kept apart at most")
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
    )


def _literal(kind: object) -> tuple[str, ...]:
    """Return the texts of ``Literal[...] | None``. Raises DomainError for others."""
    for part in (kind, *get_args(kind)):
        if get_origin(part) is Literal:
            return tuple(str(value) for value in get_args(part))
    raise DomainError("mode must be a Literal of its values, or None")
