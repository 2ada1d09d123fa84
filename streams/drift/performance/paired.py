"""Pair the outcomes of one event: of those that became known in one window the newest counts, and no event counts twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Labelled:
    """One outcome that says positive, or that a positive was none; ordered as labels came."""

    outcome_time_ms: int
    event_id: str
    event_time_ms: int
    source: str
    missed: bool
    score_bin: int
    #: It had an outcome before.
    late: bool = False
    positive: bool = True
    revision: int = 1


@dataclass(frozen=True, slots=True)
class Paired:
    """What became known of one event in a window. ``late``: it had an outcome before the window."""

    newest: Labelled
    late: bool


def paired(outcomes: Iterable[Labelled]) -> list[Paired]:
    """Return one entry an event, in the order of their newest labels, whatever the order of ``outcomes``."""
    by_event: dict[str, list[Labelled]] = {}
    for outcome in outcomes:
        by_event.setdefault(outcome.event_id, []).append(outcome)
    pairs = []
    for same in by_event.values():
        same.sort(key=lambda outcome: (outcome.revision, outcome.late, outcome.outcome_time_ms))
        pairs.append(Paired(same[-1], same[0].late))
    return sorted(pairs, key=lambda pair: pair.newest)
