"""How well one model version does, from outcomes: ADWIN on the positives it misses, and average precision of mature days.

The order of outcomes is not the order of transactions: a positive's label may come within hours, a negative transaction only
counts after the label delay. An error over all outcomes would therefore move with the label process. Among positives alone the
share missed does not, as long as the positives of one label source are compared with each other: analysts label what was
alerted, others find the rest, so each source has its own detector.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from river.drift import ADWIN

from features.base.durations import DAY_MS
from streams.drift.performance.paired import Labelled, Paired
from streams.drift.performance.precision import BINS, average_precision

#: Positives of one source before a change may be called; also how often an early window of few positives can be unlucky.
MIN_POSITIVES = 30
#: A rise of the missed share by less is no reason to train, however certain it is.
MIN_RISE = 0.05
RECENT_MS = 7 * DAY_MS
#: Positives of one source that are remembered, to say when the change was and how large.
REMEMBERED = 1000
#: A detection ends when so many positives labelled after it have come half way back.
RECOVERY_POSITIVES = 60


@dataclass(frozen=True)
class Detection:
    """A rise of the missed share among the positives of one label source."""

    source: str
    error_before: float
    error_after: float
    positives_before: int
    positives_after: int


def change_point(values: NDArray[np.float64]) -> int:
    """Tell where 0/1 ``values`` [n >= 2] most likely changed their mean: the length of the part before, in [1, n - 1].

    The cut of greatest likelihood, n1 H(p1) + n2 H(p2) least, with H the entropy of a coin of that mean.

    >>> change_point(np.array([0.0, 0, 1, 0, 0, 1, 1, 1]))
    5
    """
    n = len(values)
    first = np.arange(1, n)
    hits = np.cumsum(values)
    cost = first * _entropy(hits[:-1] / first) + (n - first) * _entropy((hits[-1] - hits[:-1]) / (n - first))
    return int(first[cost.argmin()])


def _entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    q = np.clip(p, 1e-12, 1 - 1e-12)
    return np.asarray(-q * np.log(q) - (1 - q) * np.log1p(-q))


@dataclass
class _Source:
    adwin: ADWIN
    missed: deque[bool] = field(default_factory=lambda: deque(maxlen=REMEMBERED))


@dataclass
class Performance:
    """State of one version. ``detection`` stays until the missed share has come half way back."""

    version: str
    delta: float
    detection: Detection | None = None
    positives_seen: int = 0
    _sources: dict[str, _Source] = field(default_factory=dict)
    #: (label time, event id, missed) of the positives of the last RECENT_MS.
    _recent: deque[tuple[int, str, bool]] = field(default_factory=deque)
    _since_detection: deque[bool] = field(default_factory=lambda: deque(maxlen=RECOVERY_POSITIVES))
    #: Counts by score of outcomes, negative and positive [2, BINS], by start of the window of their event time.
    _by_score: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    #: The window and the bin that count a positive, by event id, and whether it still is one.
    _counted: dict[str, tuple[int, int, bool]] = field(default_factory=dict)

    def settle(self, pairs: Iterable[Paired], window_ms: int, now_ms: int) -> None:
        """Take what became known in the window that ends at ``now_ms``: positives into the detectors and the counts; one that was
        withdrawn out of the counts. The detectors keep what they saw: they have no memory of single ones."""
        positives = []
        for pair in pairs:
            newest, start = pair.newest, pair.newest.event_time_ms // window_ms * window_ms
            counted = self._counted.get(newest.event_id)
            if counted is None:
                if newest.positive:
                    positives.append(newest)
                    self._counted[newest.event_id] = start, newest.score_bin, True
                    self._shift(start, newest.score_bin, positive=1, negative=-int(pair.late))
                elif not pair.late:
                    self._shift(start, newest.score_bin, negative=1)
            elif newest.positive != counted[2]:
                turn = 1 if newest.positive else -1
                self._counted[newest.event_id] = *counted[:2], newest.positive
                self._shift(*counted[:2], positive=turn, negative=-turn)
                if not newest.positive:
                    self._recent = deque(entry for entry in self._recent if entry[1] != newest.event_id)
        self.feed(positives, now_ms)

    def among(self, pairs: Iterable[Paired]) -> list[Paired]:
        """Return those whose event was counted as a positive."""
        return [pair for pair in pairs if pair.newest.event_id in self._counted]

    def _shift(self, window_ms: int, score_bin: int, positive: int = 0, negative: int = 0) -> None:
        """Change the counts of one bin; none falls below zero."""
        by_score = self._by_score.setdefault(window_ms, np.zeros((2, BINS), dtype=np.int64))
        by_score[:, score_bin] = np.maximum(by_score[:, score_bin] + (negative, positive), 0)

    def feed(self, positives: Sequence[Labelled], now_ms: int) -> Detection | None:
        """Take the positives labelled in one window that ends at ``now_ms``; return a rise found among them."""
        detection = None
        for positive in sorted(positives):
            detection = self._feed_one(positive) or detection
            self._recent.append((positive.outcome_time_ms, positive.event_id, positive.missed))
            self._since_detection.append(positive.missed)
        self.positives_seen += len(positives)
        while self._recent and self._recent[0][0] < now_ms - RECENT_MS:
            self._recent.popleft()
        if detection is not None:
            self.detection = detection
            self._since_detection.clear()
        elif self.detection is not None and len(self._since_detection) == RECOVERY_POSITIVES:
            half_way = (self.detection.error_before + self.detection.error_after) / 2
            if sum(self._since_detection) / RECOVERY_POSITIVES < half_way:
                self.detection = None
        return detection

    def _feed_one(self, positive: Labelled) -> Detection | None:
        source = self._sources.get(positive.source)
        if source is None:
            # clock=1: positives are few, so every one is worth a check.
            source = self._sources[positive.source] = _Source(ADWIN(delta=self.delta, clock=1, grace_period=MIN_POSITIVES))
        source.adwin.update(float(positive.missed))
        source.missed.append(positive.missed)
        if not source.adwin.drift_detected:
            return None
        # ADWIN says that there was a change; it drops its oldest buckets, which is not where the change was.
        cut = change_point(np.array(source.missed, dtype=float))
        missed = list(source.missed)
        before, after = sum(missed[:cut]) / cut, sum(missed[cut:]) / (len(missed) - cut)
        # What came before the change is past: another change is one against the present.
        source.missed = deque(missed[cut:], maxlen=REMEMBERED)
        if after - before < MIN_RISE:
            return None
        return Detection(positive.source, before, after, cut, len(missed) - cut)

    def missed_recently(self) -> float:
        """Return the share missed of the positives labelled in the last 7 days; nan without any."""
        return sum(missed for *_, missed in self._recent) / len(self._recent) if self._recent else float("nan")

    @property
    def positives_recently(self) -> int:
        return len(self._recent)

    def error(self) -> float:
        """Return ADWIN's mean over its current windows, all sources together; nan before the first positive."""
        width = sum(s.adwin.width for s in self._sources.values())
        return float(sum(s.adwin.total for s in self._sources.values()) / width) if width else float("nan")

    def count(self, window_ms: int, bins: NDArray[np.intp]) -> None:
        """Count negative outcomes of events of the event-time window that starts at ``window_ms`` by their scores' ``bins``."""
        by_score = self._by_score.setdefault(window_ms, np.zeros((2, BINS), dtype=np.int64))
        by_score[0] += np.bincount(bins, minlength=BINS)

    def average_precision(self, mature_ms: int, window_ms: int) -> tuple[float, int]:
        """Return (AP, positives) over the 7 days of transactions before ``mature_ms``, up to which all outcomes are in.

        AP is nan where there is no positive. Older days are dropped.
        """
        old_ms = mature_ms - RECENT_MS - window_ms
        for start in [s for s in self._by_score if s < old_ms]:
            del self._by_score[start]
        for event_id in [name for name, counted in self._counted.items() if counted[0] < old_ms]:
            del self._counted[event_id]
        days = [c for s, c in self._by_score.items() if s + window_ms <= mature_ms and s >= mature_ms - RECENT_MS]
        if not days:
            return float("nan"), 0
        counts = np.sum(days, axis=0)
        return average_precision(counts[0], counts[1]), int(counts[1].sum())
