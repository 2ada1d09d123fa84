"""What answers: the loaded versions as one immutable object, and the counts of what they did. Knows no protocol."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from serving.server import metrics, vectors
from serving.server.errors import NoChampion, PredictionFailed, WrongSchema
from serving.server.onnx_model import OnnxModel

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """What is served, warm. A swap replaces the whole object, so a call sees the old state or the new one, never a mixture."""

    generation: int = 0
    champion: OnnxModel | None = None
    shadow: OnnxModel | None = None
    loaded_at_ms: int = 0


@dataclass(frozen=True)
class Answer:
    """Scores float32 [n] of one call, and who gave them. ``shadow_scores`` is None without a shadow, or where it failed."""

    scores: NDArray[np.float32]
    version: str
    threshold: float
    shadow_scores: NDArray[np.float32] | None = None
    shadow_version: str | None = None


class Status(msgspec.Struct, frozen=True):
    """What ``GET /v2/models/<model>/status`` says. Counts are in transactions, the shadow's since it was loaded."""

    generation: int
    champion: str | None
    shadow: str | None
    shadow_predictions: int
    predictions: int
    failed_predictions: int
    last_event_time_ms: int | None
    loaded_at_ms: int
    error: str | None


class Engine:
    """Scores with whatever is loaded. ``answer`` and ``status`` may be called from any thread, ``swap`` from one."""

    def __init__(self) -> None:
        self.loaded = Loaded()
        self.error: str | None = None
        self._lock = threading.Lock()
        self._predictions = 0
        self._failed = 0
        self._shadow_predictions = 0
        self._last_event_time_ms: int | None = None
        self._failing_shadow: str | None = None

    def swap(self, new: Loaded) -> None:
        """Serve ``new`` from the next call on. Calls in flight end with the versions that they began with."""
        old = self.loaded
        with self._lock:
            self.loaded = new
            if new.shadow is not old.shadow:
                self._shadow_predictions = 0
        metrics.GENERATION.set(new.generation)
        for label in _labels(new):
            metrics.LOADED.labels(*label).set(1)
        for label in _labels(old) - _labels(new):
            metrics.LOADED.remove(*label)
        if new.shadow is not old.shadow:
            metrics.SHADOW_PREDICTIONS.clear()
            if new.shadow is not None:
                metrics.SHADOW_PREDICTIONS.labels(new.shadow.version).set(0)

    def champion(self) -> OnnxModel:
        """Return the version that answers now. Raises NoChampion."""
        champion = self.loaded.champion
        if champion is None:
            raise NoChampion("no champion yet; the first model appears once there are enough labels (see: driftloop models)")
        return champion

    def answer(self, rows: NDArray[np.float32], schema: str | None = None, event_time_ms: int | None = None) -> Answer:
        """Score ``rows`` float32 [n, width].

        Raises NoChampion, WrongSchema (``schema`` is given and not the champion's), InvalidVectors (not finite, another width),
        PredictionFailed (counted). A failing shadow is logged and counted, and leaves the champion's answer as it is.
        """
        loaded = self.loaded
        champion = loaded.champion or self.champion()
        manifest = champion.manifest
        if schema is not None and schema != manifest.schema:
            message = f"'schema' is {schema}, version {champion.version} takes {manifest.schema}; compute them under that one"
            raise WrongSchema(message)
        vectors.check_shape(rows.shape, champion.width)
        vectors.check_finite(rows, manifest.features)
        scores = self._champion_scores(champion, rows)
        shadow_scores = self._shadow_scores(loaded.shadow, rows)
        self._count(loaded, len(rows), shadow_scores is not None, event_time_ms)
        return Answer(
            scores=scores,
            version=champion.version,
            threshold=manifest.threshold,
            shadow_scores=shadow_scores,
            shadow_version=loaded.shadow.version if loaded.shadow is not None else None,
        )

    def status(self) -> Status:
        with self._lock:
            loaded = self.loaded
            return Status(
                generation=loaded.generation,
                champion=loaded.champion.version if loaded.champion else None,
                shadow=loaded.shadow.version if loaded.shadow else None,
                shadow_predictions=self._shadow_predictions,
                predictions=self._predictions,
                failed_predictions=self._failed,
                last_event_time_ms=self._last_event_time_ms,
                loaded_at_ms=loaded.loaded_at_ms,
                error=self.error,
            )

    def _champion_scores(self, champion: OnnxModel, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        begin = time.perf_counter()
        try:
            scores = champion.predict(rows)
        except Exception as error:
            with self._lock:
                self._failed += len(rows)
            metrics.FAILED.labels(champion.version, "champion").inc(len(rows))
            log.exception("version %s failed on %d vectors", champion.version, len(rows))
            way_out = "the server's log says why; driftloop rollback --reason TEXT serves the version before"
            message = f"version {champion.version} failed on this request; {way_out}"
            raise PredictionFailed(message) from error
        metrics.SECONDS.labels(champion.version).observe(time.perf_counter() - begin)
        metrics.PREDICTIONS.labels(champion.version, "champion").inc(len(rows))
        return scores

    def _shadow_scores(self, shadow: OnnxModel | None, rows: NDArray[np.float32]) -> NDArray[np.float32] | None:
        if shadow is None:
            return None
        begin = time.perf_counter()
        try:
            scores = shadow.predict(rows)
        except Exception:
            metrics.FAILED.labels(shadow.version, "shadow").inc(len(rows))
            # Once a version, not once a call: a broken shadow must not fill the disk.
            if self._failing_shadow != shadow.version:
                self._failing_shadow = shadow.version
                log.exception("shadow %s failed on %d vectors; further failures are only counted", shadow.version, len(rows))
            return None
        metrics.SECONDS.labels(shadow.version).observe(time.perf_counter() - begin)
        metrics.PREDICTIONS.labels(shadow.version, "shadow").inc(len(rows))
        return scores

    def _count(self, loaded: Loaded, rows: int, shadow: bool, event_time_ms: int | None) -> None:
        with self._lock:
            self._predictions += rows
            # A call that began before a swap may end after it: its shadow scores are not the new shadow's.
            if shadow and loaded.shadow is not None and loaded.shadow is self.loaded.shadow:
                self._shadow_predictions += rows
                metrics.SHADOW_PREDICTIONS.labels(loaded.shadow.version).set(self._shadow_predictions)
            if event_time_ms is not None:
                self._last_event_time_ms = max(event_time_ms, self._last_event_time_ms or 0)


def _labels(loaded: Loaded) -> set[tuple[str, str]]:
    return {(m.version, role) for m, role in ((loaded.champion, "champion"), (loaded.shadow, "shadow")) if m is not None}
