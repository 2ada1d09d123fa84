"""Data and prediction drift: windows of scores against the reference of the version that scored them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.base import names
from features.base.active import DOMAIN
from features.base.durations import DAY_MS, HOUR_MS
from features.base.events import NAMES_ON_THE_WIRE, DriftReport, Score
from features.base.settings import Settings
from features.catalogue import vector
from features.catalogue.vector import vector_schema
from streams.drift.data.columns import WATCHED, frame
from streams.drift.data.distance import compare
from streams.drift.data.faults import FIELDS, Expected, Fault, find
from streams.drift.data.score_windows import SAMPLE_ROWS, ScoreWindow
from streams.drift.intervals import Interval, merge
from streams.drift.references import Reference, References, ReferenceUnusable
from streams.drift.sample import priorities
from streams.drift.watermark import Watermark
from streams.engine.repartition_header import Copied

#: By a field's name on the wire, watched columns that remember its faulty values after the fault is over, and for how many days:
#: they are reported, but they do not count towards drift until then or until another version, with another reference, is
#: champion.
AFTERMATH = DOMAIN.aftermath
names.check("streams.drift.data.faults.FIELDS", FIELDS, AFTERMATH, f"key of aftermath of domain {DOMAIN.name}")
for _field, _columns in AFTERMATH.items():
    names.check(
        f"{DOMAIN.name}'s aftermath of {_field}", _columns, WATCHED, "watched column (streams.drift.data.columns.WATCHED)"
    )


class ScoredEvent(msgspec.Struct, gc=False, rename=NAMES_ON_THE_WIRE):
    """What the monitor needs of a score's event."""

    event_id: str
    event_time_ms: int


class ScoreSeen(msgspec.Struct, gc=False):
    """What the monitor needs of a score."""

    event: ScoredEvent
    schema: str
    features: bytes
    decision: str
    score: float | None = None
    model_version: str | None = None


names.check_view(ScoreSeen, Score)

#: Fewer reference rows of a kind of day (workdays, weekends) are no sample of it; all days stand in.
MIN_DAY_ROWS = 500
_WEEKEND = vector.INDEX[DOMAIN.columns.weekend]


class _Prepared:
    """A reference in the forms in which it is compared: weekends with weekends, workdays with workdays."""

    def __init__(self, reference: Reference, seed: int) -> None:
        self.expected = Expected(reference.features)
        weekend = reference.features[:, _WEEKEND] > 0
        rng = np.random.default_rng(seed)
        self._all = self._frame(reference, np.arange(len(weekend)), rng)
        self._workdays, self._weekends = (
            self._frame(reference, np.flatnonzero(kind), rng) if kind.sum() >= MIN_DAY_ROWS else self._all
            for kind in (~weekend, weekend)
        )

    @staticmethod
    def _frame(reference: Reference, rows: NDArray[np.intp], rng: np.random.Generator) -> pd.DataFrame:
        drawn = rng.choice(rows, min(SAMPLE_ROWS, len(rows)), replace=False)
        return frame(reference.features[drawn], reference.scores[drawn])

    def beside(self, features: NDArray[np.float32]) -> pd.DataFrame:
        """Return the part to hold against ``features`` [n, WIDTH]: all of it, if they are of both kinds of day."""
        share = float(np.mean(features[:, _WEEKEND]))
        if share > 0.9:
            return self._weekends
        return self._workdays if share < 0.1 else self._all


@dataclass(frozen=True)
class Judged:
    """A closed window: its report, and whether drift in it, with that in the windows before, asks for retraining."""

    report: DriftReport
    drifted: bool


class DataMonitor:
    """Windows of scores, their verdicts, and the faults found so far."""

    def __init__(self, settings: Settings, references: References) -> None:
        self._settings = settings
        self._drift = settings.drift
        self._window_ms = int(settings.drift.window_hours * HOUR_MS)
        self._references = references
        self._prepared: dict[str, _Prepared] = {}
        self.clear()

    def clear(self) -> None:
        """Go back to the state before the first record."""
        self.watermark = Watermark(self._settings.partitions)
        self._windows: dict[int, ScoreWindow] = {}
        self._closed_to_ms = 0
        self._late_rows = 0
        self._late_reported = 0
        self._in_a_row: tuple[str | None, int] = (None, 0)
        self._faults: list[tuple[Fault, str]] = []
        self._newest: tuple[int, str | None] = (0, None)

    @property
    def scored_by(self) -> str | None:
        """Return the version that made the newest score; None while the newest transactions are unscored."""
        return self._newest[1]

    @property
    def faulty(self) -> list[Interval]:
        """Return the intervals of event time with faulty data: nothing in them says anything about the champion."""
        return merge((fault.start_ms, fault.end_ms) for fault, _ in self._faults)

    def take(self, partitions: Sequence[int], seen: Sequence[ScoreSeen], copies: Sequence[Copied | None] = (None,)) -> None:
        """Take scores and the partitions they came from, in offset order per partition, and what is told of copies among them."""
        if not seen:
            return
        self.watermark.note(copies)
        times = np.fromiter((s.event.event_time_ms for s in seen), dtype=np.int64, count=len(seen))
        came_from = np.asarray(partitions)
        for partition in np.unique(came_from).tolist():
            of_it = times[came_from == partition]
            self.watermark.see(partition, int(of_it.max()), len(of_it))
        # Time passes with all of them; only what a model may judge is held against what it learned from.
        judged = [i for i, score in enumerate(seen) if score.decision != "apart"]
        if len(judged) < len(seen):
            seen, times = [seen[i] for i in judged], times[judged]
            if not seen:
                return
        newest = int(times.argmax())
        if times[newest] >= self._newest[0]:
            self._newest = (int(times[newest]), seen[newest].model_version)
        starts = times // self._window_ms * self._window_ms
        for start in np.unique(starts).tolist():
            at = np.flatnonzero(starts == start)
            if start < self._closed_to_ms:
                self._late_rows += len(at)
            else:
                self._put(start, [seen[i] for i in at.tolist()], times[at])

    def _put(self, start: int, seen: list[ScoreSeen], times: NDArray[np.int64]) -> None:
        window = self._windows.setdefault(start, ScoreWindow(start, start + self._window_ms))
        fits = [s.schema == vector_schema(self._settings.features) and len(s.features) == 4 * vector.WIDTH for s in seen]
        if not all(fits):
            window.other_schema += fits.count(False)
            times = times[np.array(fits)]
            seen = [s for s, ok in zip(seen, fits, strict=True) if ok]
        if seen:
            window.add(
                times,
                priorities([s.event.event_id for s in seen], self._settings.training.seed),
                vector.unpacked(b"".join(s.features for s in seen)).reshape(-1, vector.WIDTH),
                np.array([np.nan if s.score is None else s.score for s in seen], dtype=np.float32),
                [s.model_version for s in seen],
            )

    def advance(self) -> list[Judged]:
        """Close the windows that the watermark has passed, and judge those that a champion scored, oldest first."""
        watermark_ms = self.watermark.time_ms
        if watermark_ms is None:
            return []
        ready = sorted(start for start in self._windows if start + self._window_ms <= watermark_ms)
        self._closed_to_ms = max(self._closed_to_ms, watermark_ms // self._window_ms * self._window_ms)
        closed = [self._windows.pop(start) for start in ready]
        return [self._judge(window, window.version) for window in closed if window.version is not None]

    def _judge(self, window: ScoreWindow, version: str) -> Judged:
        report = DriftReport(
            report_id=f"data-{version}-{window.start_ms}",
            model=self._settings.model,
            model_version=version,
            kind="data",
            window_start_ms=window.start_ms,
            window_end_ms=window.end_ms,
            rows=window.rows,
            verdict="ok",
            action="none",
            evidence={"rows_by_version": dict(sorted(window.versions.items()))},
        )
        if window.other_schema:
            report.evidence["rows_with_another_schema"] = window.other_schema
        if self._late_rows > self._late_reported:
            report.evidence["late_rows"] = self._late_rows - self._late_reported
            self._late_reported = self._late_rows
        if window.rows < self._drift.min_rows:
            report.action = f"too few rows: {window.rows} of {self._drift.min_rows}"
            return Judged(report, drifted=False)
        try:
            reference = self._reference(version)
        except ReferenceUnusable as error:
            report.action = f"not compared: {error}"
            return Judged(report, drifted=False)
        return self._compared(window, report, version, reference)

    def _compared(self, window: ScoreWindow, report: DriftReport, version: str, reference: _Prepared) -> Judged:
        drift = self._drift
        counted = self._counted(version, window.start_ms)
        faults = find(window.slices, window.slice_ms, reference.expected)
        self._faults += [(fault, version) for fault in faults]
        features, scores = window.sample()
        distances = compare(reference.beside(features), frame(features, scores), drift.feature_threshold, counted)
        report.features = {name: round(value, 4) for name, value in distances.by_column.items()}
        report.share_drifted = distances.share
        report.evidence["drifted"] = list(distances.drifted)
        report.evidence["not_counted"] = [name for name in WATCHED if name not in counted]
        if faults:
            self._in_a_row = (version, 0)
            report.verdict = "data_fault"
            report.evidence["faults"] = [fault.evidence() for fault in faults]
            report.action = "no retraining: these hours are left out of training and of performance"
            return Judged(report, drifted=False)
        before = self._in_a_row[1] if self._in_a_row[0] == version else 0
        row = before + 1 if distances.share >= drift.share_threshold else 0
        self._in_a_row = (version, row)
        report.evidence["windows_in_a_row"] = row
        if row >= drift.consecutive_windows:
            report.verdict = "drift"
            return Judged(report, drifted=True)
        if row:
            report.action = f"watching: drift in {row} of {drift.consecutive_windows} windows in a row"
        return Judged(report, drifted=False)

    def _counted(self, version: str, start_ms: int) -> set[str]:
        """Return the watched columns that no earlier fault still lives on in."""
        remembering = {
            column
            for fault, then in self._faults
            for column, days in AFTERMATH[fault.finding.field].items()
            if then == version and start_ms < fault.end_ms + days * DAY_MS
        }
        return set(WATCHED) - remembering

    def _reference(self, version: str) -> _Prepared:
        prepared = self._prepared.get(version)
        if prepared is None:
            prepared = _Prepared(self._references.get(version), self._settings.training.seed)
            if len(self._prepared) >= 3:
                self._prepared.pop(next(iter(self._prepared)))
            self._prepared[version] = prepared
        return prepared
