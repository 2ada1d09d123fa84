"""A domain whose tables name what is not there is refused when it is loaded, and the message names it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import msgspec
import pytest

from features.base import active
from features.base.domain import Domain, FallbackRule, Reach, Reason, RowFlag
from features.base.event import Event
from features.base.roles import MOST_KINDS, DomainError, roles_of
from features.domains.card_fraud import DOMAIN
from features.history.row_layout import OTHER_KINDS

CHANGES: dict[str, Callable[[Domain], Any]] = {
    "watched": lambda d: replace(d, watched=(*d.watched, "counts_1d")),
    "columns": lambda d: replace(d, columns=replace(d.columns, modes=("entry_chip", *d.columns.modes[1:]))),
    "unusual": lambda d: replace(d, unusual=(Reach("speed_kph", 1.0),)),
    "reasons": lambda d: replace(d, reasons=(Reason("FAR", (Reach("distance_home", 1.0),)),)),
    "fallback": lambda d: replace(d, fallback=replace(d.fallback, rules=(FallbackRule("speed_kph", 1.0, 0.1),))),
    "aftermath": lambda d: replace(d, aftermath={**d.aftermath, "latitude": {"distance_from_last_km": 7}}),
    "an entry for each": lambda d: replace(d, aftermath={"latitude": {}}),
    "not watched": lambda d: replace(d, aftermath={**d.aftermath, "latitude": {"hour": 7}}),
    "present": lambda d: replace(d, present=("emv",)),
    "one name": lambda d: replace(d, features=(*d.features, d.features[0])),
    "room for three": lambda d: replace(d, row_flags=(*d.row_flags, RowFlag("more", "flag == 1", "more"))),
    "the same in the same order": lambda d: replace(d, kinds=d.kinds[::-1]),
    "for 5 modes": lambda d: replace(d, columns=replace(d.columns, modes=d.columns.modes[1:])),
}


def test_the_domain_holds_together() -> None:
    DOMAIN.check()


@pytest.mark.parametrize("message", CHANGES)
def test_a_wrong_name_is_refused(message: str) -> None:
    with pytest.raises(DomainError, match=f"domain card_fraud.*{message}"):
        CHANGES[message](DOMAIN).check()


@pytest.mark.parametrize("name", ["no_such_domain", "features.base.domain:NOTHING", "features.base.domain:Domain"])
def test_a_name_that_is_no_domain_is_refused(name: str) -> None:
    with pytest.raises(DomainError, match="domain = "):
        active.load_domain(name)


def test_half_a_place_is_none() -> None:
    class Half(Event):
        latitude: float | None = None

    with pytest.raises(DomainError, match="one half of a place"):
        roles_of(Half)


def test_roles_are_names_on_the_wire() -> None:
    class Visit(Event, rename={"subject": "guest", "measure": "seconds"}):
        subject: str
        measure: int
        flag: bool | None = None

    roles = roles_of(Visit)
    assert (roles.subject, roles.measure, roles.flag, roles.mode, roles.place) == ("guest", "seconds", "flag", None, None)
    assert set(msgspec.to_builtins(Visit("a", 1, "b", "c", 2))) >= {"guest", "seconds"}


def test_a_row_has_room_for_the_kinds() -> None:
    assert MOST_KINDS == 1 + OTHER_KINDS


def test_kinds_are_texts_and_as_many_as_a_row_can_tell_apart() -> None:
    class Paid(Event):
        kind: Literal["buy", "back"] | None = None

    assert (roles_of(Paid).kind, roles_of(Paid).kinds) == ("kind", ("buy", "back"))

    class Many(Event):
        kind: Literal["a", "b", "c", "d", "e", "f", "g", "h", "i"] | None = None

    with pytest.raises(DomainError, match="kind has 9 values, and 8"):
        roles_of(Many)

    class Number(Event):
        kind: int | None = None

    with pytest.raises(DomainError, match="kind must be a Literal"):
        roles_of(Number)
