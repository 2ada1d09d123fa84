"""What a simulated world of a domain must do, and how one is made as it was asked for on a command line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from typing import Protocol, cast

from features.base.active import DOMAIN
from streams.publish.batch import Batch, Labels


@dataclass(frozen=True)
class Request:
    """A world as texts and numbers describe it. None: as the domain's simulator has it by default. ``rate``: events of a subject
    in a day; ``positive_rate``: the share of positives; ``withdrawn_rate``: the share of the positive labels that are withdrawn
    later; ``drifts``, ``faults`` and ``kinds``: in the simulator's own notation; ``units``: what measures are in, the first the
    most."""

    start: date
    seed: int
    subjects: int | None = None
    counterparts: int | None = None
    positive_rate: float | None = None
    rate: float | None = None
    drifts: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    withdrawn_rate: float | None = None
    units: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


class Simulator(Protocol):
    """A seeded history that has no end. ``day(n)`` depends on nothing but how it was made and ``n``."""

    @classmethod
    def requested(cls, request: Request) -> Simulator:
        """Make the world that is asked for. Raises ValueError, naming what is wrong."""

    def day_start_ms(self, day: int) -> int:
        """Return the event time at which ``day`` begins."""

    def day(self, n: int) -> Batch:
        """Return everything that happens on day ``n``. Raises ValueError for a negative day."""

    def days(self, first: int, end: int) -> Iterator[Batch]:
        """Give the days [first, end), one batch each, in order."""

    def pending_labels(self, day: int) -> Labels:
        """Return labels of the days before ``day`` that become known then or later: what a publisher that starts there owes."""

    def rates(self, first: int, end: int) -> str:
        """Return the rates of its units on the days [first, end), as a file of ``units.rates``. Raises ValueError where it has no
        units."""


def simulator(request: Request) -> Simulator:
    """Make a world of this process's domain. Raises ValueError where the domain has none, or the request is wrong."""
    if not DOMAIN.simulator:
        raise ValueError(f"the domain {DOMAIN.name} has no simulator; give it one, package.module:Class")
    module, _, name = DOMAIN.simulator.partition(":")
    kind = cast("type[Simulator]", getattr(import_module(module), name))
    return kind.requested(request)


def number(text: str, what: str, spec: str, example: str) -> float:
    """Read a number that is not negative. Raises ValueError, naming the ``what`` of ``spec`` that is wrong."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{spec}: {what} is {text!r}; it must be a number that is not negative, as in {example}")
    return value


def check(field: str, value: object, good: bool, allowed: str) -> None:
    """Raise ValueError, naming the field and what is allowed, unless ``good``."""
    if not good:
        raise ValueError(f"{field} is {value}; it must be {allowed}")
