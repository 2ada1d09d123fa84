"""Tumbling windows of event time over the scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.base.durations import HOUR_MS
from streams.drift.data.counts import Counts
from streams.drift.sample import Sample

SAMPLE_ROWS = 5_000


class ScoreWindow:
    """What is kept of [start_ms, end_ms): exact counts by hour, rows by model version, and a sample of the vectors.

    Scores of another version than most would blur the prediction's drift, so each sampled row knows its version.
    """

    def __init__(self, start_ms: int, end_ms: int) -> None:
        self.start_ms = start_ms
        self.end_ms = end_ms
        self.slice_ms = min(HOUR_MS, end_ms - start_ms)
        self.rows = 0
        self.other_schema = 0
        self.versions: Counter[str] = Counter()
        self.slices: dict[int, Counts] = {}
        self._codes: dict[str | None, int] = {}
        self._sample = Sample(SAMPLE_ROWS)

    @property
    def version(self) -> str | None:
        """Return the model version that scored most of the scored rows; None where nothing was scored."""
        if not self.versions:
            return None
        return max(self.versions.items(), key=lambda item: (item[1], item[0]))[0]

    def add(
        self,
        times: NDArray[np.int64],
        keys: NDArray[np.uint32],
        features: NDArray[np.float32],
        scores: NDArray[np.float32],
        versions: Sequence[str | None],
    ) -> None:
        """Take rows of this window: ``times`` ms [n], sampling ``keys`` [n], ``features`` [n, WIDTH], ``scores`` [n]
        (NaN where unscored) and the ``versions`` that made them."""
        self.rows += len(times)
        starts = self.start_ms + (times - self.start_ms) // self.slice_ms * self.slice_ms
        for start in np.unique(starts).tolist():
            self.slices.setdefault(start, Counts()).add(features[starts == start])
        present = Counter(versions)
        for version, rows in present.items():
            self._codes.setdefault(version, len(self._codes))
            if version is not None:
                self.versions[version] += rows
        codes = np.fromiter((self._codes[v] for v in versions), dtype=np.int32, count=len(versions))
        self._sample.offer(keys, features, scores, codes)

    def sample(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return features [m, WIDTH] and scores [m] of at most SAMPLE_ROWS rows; the scores of versions other than
        ``self.version`` are NaN."""
        features, scores, codes = self._sample.rows()
        return features, np.where(codes == self._codes.get(self.version, -1), scores, np.float32(np.nan))
