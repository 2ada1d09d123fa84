"""Data faults: a field that a producer sends wrongly. Rules, not statistics: a fault is large, and must be named.

Each hour of a window is held against the same hour of the day in the reference (online events at night are not a stuck
entry mode), then the window as a whole, for slices too thin to judge by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.base.active import DOMAIN, ROLES
from features.base.durations import HOUR_MS
from features.catalogue import vector
from streams.drift.data.counts import OPTIONAL, Counts, count

#: Fewer rows are not judged by themselves.
MIN_ROWS = 30
#: An hour of the day with fewer reference rows gives no shares to expect, and its neighbours may live by other habits.
MIN_REFERENCE_ROWS = 100
#: A measure off by this factor is in another unit (milliseconds for seconds, say).
UNIT_FACTOR = 20.0
#: The quartiles: a fault in a quarter of a slice's rows moves one of them, a burst of subject testing does not.
UNIT_QUANTILES = (0.5, 0.25, 0.75)
#: A field is missing when its known share falls by this much, or to GONE_SHARE where it was at least GONE_FROM.
MISSING_FALL = 0.3
GONE_FROM = 0.1
GONE_SHARE = 0.02
#: ... and the fall is beyond chance by this many standard errors.
MISSING_SIGMAS = 6.0
#: A window as a whole is held against the whole reference only where it has rows in so many hours of the day.
WHOLE_DAY_HOURS = 18
STUCK_SHARE = 0.98
STUCK_REFERENCE_SHARE = 0.9
#: ... and that many rows of one mode are that improbable under the reference.
STUCK_LOG_PROBABILITY = math.log(1e-9)

#: The fields of an event that the rules can name, by their names on the wire.
FIELDS: tuple[str, ...] = (ROLES.measure, *OPTIONAL)
_HOUR = vector.INDEX[DOMAIN.columns.hour]


@dataclass(frozen=True)
class Finding:
    """One field that breaks a rule: what was measured, and what the reference lets one expect."""

    field: str
    rule: str
    measured: float
    expected: float


@dataclass(frozen=True)
class Fault:
    """A finding and when: [start_ms, end_ms) of event time, in whole slices."""

    finding: Finding
    start_ms: int
    end_ms: int
    rows: int

    def evidence(self) -> dict[str, str | float | int]:
        """Return it as it goes into a report."""
        return {
            "field": self.finding.field,
            "rule": self.finding.rule,
            "measured": round(self.finding.measured, 4),
            "expected": round(self.finding.expected, 4),
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            "rows": self.rows,
        }


class Expected:
    """Counts of a reference, as a whole and by hour of the day (UTC)."""

    def __init__(self, features: NDArray[np.float32]) -> None:
        self.total = count(features)
        hours = features[:, _HOUR].astype(int) % 24
        by_hour = [count(features[hours == hour]) for hour in range(24)]
        self._by_hour = [c if c.rows >= MIN_REFERENCE_ROWS else None for c in by_hour]

    def at(self, start_ms: int) -> Counts | None:
        """Return the counts for the hour of the day of ``start_ms``; None where the reference is too thin there."""
        return self._by_hour[start_ms // HOUR_MS % 24]


def _unit(counts: Counts, expected: Counts) -> Finding | None:
    for quantile in UNIT_QUANTILES:
        measured, usual = counts.measure(quantile), expected.measure(quantile)
        if not 1.0 / UNIT_FACTOR < measured / usual < UNIT_FACTOR:
            return Finding(ROLES.measure, "unit", measured, usual)
    return None


def _missing(field: str, counts: Counts, expected: Counts) -> Finding | None:
    measured, usual = counts.known_share(field), expected.known_share(field)
    fall = usual - measured
    noise = math.sqrt(max(usual * (1.0 - usual), 0.02) * (1.0 / counts.rows + 1.0 / expected.rows))
    gone = usual >= GONE_FROM and measured <= GONE_SHARE
    if (fall > MISSING_FALL or gone) and fall >= MISSING_SIGMAS * noise:
        return Finding(field, "missing", measured, usual)
    return None


def _stuck(counts: Counts, expected: Counts) -> Finding | None:
    if not ROLES.modes:
        return None
    mode = int(counts.modes[:-1].argmax())
    measured, usual = counts.modes[mode] / counts.rows, expected.modes[mode] / expected.rows
    if measured < STUCK_SHARE or usual >= STUCK_REFERENCE_SHARE:
        return None
    if counts.rows * math.log(max(usual, 1e-3)) > STUCK_LOG_PROBABILITY:
        return None
    return Finding(str(ROLES.mode), f"stuck at {ROLES.modes[mode]}", float(measured), float(usual))


def check(counts: Counts, expected: Counts | None, total: Counts) -> list[Finding]:
    """Find every rule that ``counts`` breaks; none where it has fewer than MIN_ROWS rows.

    ``expected`` is what the same hour usually has. Where that is not known, only the unit is checked, against ``total``:
    no hour's measures differ from another's by anything like a unit.
    """
    if counts.rows < MIN_ROWS:
        return []
    if expected is None:
        findings = [_unit(counts, total)]
    else:
        findings = [
            _unit(counts, expected),
            *(_missing(field, counts, expected) for field in OPTIONAL),
            _stuck(counts, expected),
        ]
    return [finding for finding in findings if finding is not None]


def find(slices: Mapping[int, Counts], slice_ms: int, expected: Expected) -> list[Fault]:
    """Find faults in the slices of one window, keyed by their start, oldest first; neighbouring slices are one fault.

    Slices too thin to judge beside a faulty one are taken into its interval: better an hour too much left out of training
    than a faulty one learned.
    """
    faults: list[Fault] = []
    starts = sorted(slices)
    findings = {
        start: {(f.field, f.rule): f for f in check(slices[start], expected.at(start), expected.total)} for start in starts
    }
    unjudged = {start for start in starts if slices[start].rows < MIN_ROWS or expected.at(start) is None}
    for what in dict.fromkeys(key for by_rule in findings.values() for key in by_rule):
        faults += _runs(what, starts, findings, unjudged, slices, slice_ms)
    if not faults and starts:
        total = Counts()
        for part in slices.values():
            total.merge(part)
        # Most hours of a day stand for a day; a few of them do not, for nights have other habits.
        whole_day = len({start // HOUR_MS % 24 for start in starts}) >= WHOLE_DAY_HOURS
        findings_of_all = check(total, expected.total if whole_day else None, expected.total)
        faults = [Fault(finding, starts[0], starts[-1] + slice_ms, total.rows) for finding in findings_of_all]
    return sorted(faults, key=lambda fault: (fault.start_ms, fault.finding.field))


def _runs(
    what: tuple[str, str],
    starts: list[int],
    findings: Mapping[int, Mapping[tuple[str, str], Finding]],
    unjudged: set[int],
    slices: Mapping[int, Counts],
    slice_ms: int,
) -> list[Fault]:
    """Return the runs of slices that show one finding, bridged and extended over slices too thin to judge."""
    runs: list[Fault] = []
    run: list[int] = []
    for start in [*starts, None]:
        if start is not None and (what in findings[start] or start in unjudged):
            run.append(start)
            continue
        shown = [s for s in run if what in findings[s]]
        if shown:
            worst = max(shown, key=lambda s: slices[s].rows)
            rows = sum(slices[s].rows for s in run)
            runs.append(Fault(findings[worst][what], run[0], run[-1] + slice_ms, rows))
        run = []
    return runs
