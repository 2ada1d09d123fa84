"""Performance drift: outcomes by windows of the time at which they became known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from features.base import names
from features.base.durations import DAY_MS, HOUR_MS
from features.base.events import DriftReport, Outcome
from features.base.settings import Settings
from streams.drift.intervals import Interval, covers
from streams.drift.performance.paired import Labelled, paired
from streams.drift.performance.precision import bins_of
from streams.drift.performance.version_quality import Performance
from streams.drift.watermark import Watermark
from streams.engine.repartition_header import Copied

#: Versions whose performance is kept: the champion's, and those that may become it again by a roll back.
VERSIONS_KEPT = 4


class OutcomeSeen(msgspec.Struct, gc=False):
    """What the monitor needs of an outcome."""

    event_id: str
    event_time_ms: int
    outcome_time_ms: int
    positive: bool
    source: str
    score: float | None = None
    threshold: float | None = None
    model_version: str | None = None
    late: bool = False
    revision: int = 0


names.check_view(OutcomeSeen, Outcome)


@dataclass
class _Window:
    """Outcomes that became known in one window. ``changes``: by version, those that say positive, and those that withdraw it.
    ``unscored``: those that correct what may have been counted, and do not say the version."""

    changes: dict[str, list[Labelled]] = field(default_factory=dict)
    unscored: list[Labelled] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    outcomes: int = 0
    positive_labels: int = 0


class PerformanceMonitor:
    """Outcomes of every version, judged for the champion.

    Positives, and what withdraws them, wait until their window closes and are then taken in the order of their labels, so that
    the detectors see the same order whichever way the partitions were interleaved. Of an event that has several there, the newest
    counts. Negative outcomes are only counted.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._window_ms = int(settings.drift.window_hours * HOUR_MS)
        self.clear()

    def clear(self) -> None:
        """Go back to the state before the first record."""
        self.watermark = Watermark(self._settings.partitions)
        self.versions: dict[str, Performance] = {}
        self._windows: dict[int, _Window] = {}
        self._closed_to_ms = 0
        self._known: dict[int, tuple[int, int]] = {}

    def labels(self) -> tuple[int, int]:
        """Count the outcomes and the positives among them that became known in the last ``training.days``."""
        windows = [*self._known.values(), *((w.outcomes, w.positive_labels) for w in self._windows.values())]
        return sum(o for o, _ in windows), max(0, sum(f for _, f in windows))

    def take(
        self,
        partitions: Sequence[int],
        seen: Sequence[OutcomeSeen],
        faulty: Sequence[Interval],
        copies: Sequence[Copied | None] = (None,),
    ) -> None:
        """Take outcomes and the partitions they came from, in offset order per partition; ``copies``: what is told of copies."""
        if seen:
            self.watermark.note(copies)
        newest: dict[int, tuple[int, int]] = {}
        negative: dict[tuple[str, int], list[float]] = {}
        for partition, outcome in zip(partitions, seen, strict=True):
            time, count = newest.get(partition, (0, 0))
            newest[partition] = (max(time, outcome.outcome_time_ms), count + 1)
            start = max(outcome.outcome_time_ms // self._window_ms * self._window_ms, self._closed_to_ms)
            window = self._windows.setdefault(start, _Window())
            window.outcomes += not outcome.late
            withdrawn = outcome.late and not outcome.positive
            window.positive_labels += outcome.positive - withdrawn
            version = outcome.model_version
            if outcome.score is None or outcome.threshold is None or version is None:
                if outcome.late:
                    window.unscored.append(_labelled(outcome))
                continue
            window.rows[version] = window.rows.get(version, 0) + 1
            if outcome.positive or withdrawn:
                window.changes.setdefault(version, []).append(_labelled(outcome))
            elif not covers(faulty, outcome.event_time_ms):
                negative.setdefault((version, outcome.event_time_ms // self._window_ms), []).append(outcome.score)
        for (version, number), scores in negative.items():
            self._performance(version).count(number * self._window_ms, bins_of(np.array(scores)))
        for partition, (time, count) in newest.items():
            self.watermark.see(partition, time, count)

    def _performance(self, version: str) -> Performance:
        performance = self.versions.get(version)
        if performance is None:
            performance = self.versions[version] = Performance(version, self._settings.drift.adwin_delta)
            if len(self.versions) > VERSIONS_KEPT:
                self.versions.pop(next(iter(self.versions)))
        return performance

    def advance(self, scores_ms: int | None, champion: str | None, faulty: Sequence[Interval]) -> list[DriftReport]:
        """Close the windows that outcomes and scores (``scores_ms``, their watermark) have both passed, oldest first.

        Scores must have passed, for only then it is known whether their data was faulty. One report for each window in
        which outcomes of ``champion`` became known.
        """
        outcomes_ms = self.watermark.time_ms
        if outcomes_ms is None or scores_ms is None:
            return []
        passed_ms = min(outcomes_ms, scores_ms)
        reports = []
        for start in sorted(s for s in self._windows if s + self._window_ms <= passed_ms):
            window, end = self._windows.pop(start), start + self._window_ms
            self._known[start] = (window.outcomes, window.positive_labels)
            for version, changes in window.changes.items():
                clean = [change for change in changes if not covers(faulty, change.event_time_ms)]
                self._performance(version).settle(paired(clean), self._window_ms, end)
            if window.unscored:
                for performance in self.versions.values():
                    performance.settle(performance.among(paired(window.unscored)), self._window_ms, end)
            if champion is not None and champion in window.rows and champion in self.versions:
                reports.append(self._report(self.versions[champion], start, end, window.rows[champion]))
        self._closed_to_ms = max(self._closed_to_ms, passed_ms // self._window_ms * self._window_ms)
        kept_from = passed_ms - self._settings.training.days * DAY_MS
        for start in [s for s in self._known if s < kept_from]:
            del self._known[start]
        return reports

    def _report(self, performance: Performance, start_ms: int, end_ms: int, rows: int) -> DriftReport:
        mature_ms = (end_ms - self._settings.labels.delay_ms) // self._window_ms * self._window_ms
        ap, ap_positives = performance.average_precision(mature_ms, self._window_ms)
        evidence: dict[str, object] = {
            "ap": _number(ap),
            "ap_positives": ap_positives,
            "ap_up_to_ms": mature_ms,
            "recall": _number(1.0 - performance.missed_recently()),
            "recall_positives": performance.positives_recently,
            "error": _number(performance.error()),
            "positives_seen": performance.positives_seen,
        }
        detection = performance.detection
        if detection is not None:
            evidence |= {
                "label_source": detection.source,
                "error_before": _number(detection.error_before),
                "error_after": _number(detection.error_after),
                "positives_before": detection.positives_before,
                "positives_after": detection.positives_after,
            }
        return DriftReport(
            report_id=f"performance-{performance.version}-{start_ms}",
            model=self._settings.model,
            model_version=performance.version,
            kind="performance",
            window_start_ms=start_ms,
            window_end_ms=end_ms,
            rows=rows,
            verdict="ok" if detection is None else "concept_drift",
            action="none",
            evidence=evidence,
        )


def _labelled(outcome: OutcomeSeen) -> Labelled:
    score, threshold = outcome.score or 0.0, outcome.threshold or 0.0
    return Labelled(
        outcome.outcome_time_ms,
        outcome.event_id,
        outcome.event_time_ms,
        outcome.source,
        missed=score < threshold,
        score_bin=int(bins_of(np.array([score]))[0]),
        late=outcome.late,
        positive=outcome.positive,
        revision=outcome.revision,
    )


def _number(value: float) -> float | None:
    """Return nan as None, as JSON has no nan."""
    return None if np.isnan(value) else round(value, 4)
