"""The reconciler: makes what is served equal to what serving.json says, again and again.

Level-triggered: it looks at the document as it is, not at events, so it does not matter how many changes it slept through.
The new version is built and warmed beside the old one; then one assignment swaps them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from serving.server import metrics
from serving.server.engine import Engine, Loaded
from serving.server.onnx_model import OnnxModel, load
from serving.store.model_store import BrokenDocument, BrokenVersion, ModelStore, StoreError

log = logging.getLogger(__name__)

POLL_S = 0.15
#: An object store asks money for each look.
REMOTE_POLL_S = 2.0
#: What could not be loaded is tried again at this pace: a file that somebody restores is picked up without a new generation.
RETRY_S = 5.0

_Stamp = tuple[int, ...] | None


class Reconciler:
    """Reconciles ``engine`` to the store. ``step`` does it once; ``start`` does it in a thread until ``stop``."""

    def __init__(
        self,
        store: ModelStore,
        engine: Engine,
        threads: int = 1,
        clock: Callable[[], float] = time.monotonic,
        poll_s: float = POLL_S,
    ) -> None:
        self._store = store
        self._engine = engine
        self._threads = threads
        self._clock = clock
        self._poll_s = poll_s
        self._seen: _Stamp = None
        self._retry_at = 0.0
        self._beat = clock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def seconds_since_last_look(self) -> float:
        """Return the seconds since the last look. They grow while a version loads; beyond that the thread is stuck."""
        return self._clock() - self._beat

    def step(self) -> None:
        """Look once. Never raises: what cannot be served is an error in the status, and what was served before stays."""
        self._beat = self._clock()
        stamp = self._stamp()
        if stamp == self._seen and (self._engine.error is None or self._clock() < self._retry_at):
            return
        try:
            error = self._reconcile()
        except StoreError as problem:
            error = str(problem)
        except Exception as problem:
            log.exception("the reconciler failed; it tries again")
            error = f"{type(problem).__name__}: {problem}"
        self._seen = stamp
        self._retry_at = self._clock() + RETRY_S
        if error is not None and error != self._engine.error:
            log.error("%s; version %s stays", error, self._engine.status().champion)
        self._engine.error = error
        metrics.SERVING_ERROR.set(0 if error is None else 1)

    def _reconcile(self) -> str | None:
        """Serve what the document names; return what could not be done, None where all of it is served."""
        document = self._store.serving()
        loaded = self._engine.loaded
        if document.generation == 0 and loaded.generation > 0:
            raise BrokenDocument(f"the serving document of {self._store.place} is gone; write it again by promoting a version")
        if document.model != self._store.model:
            raise BrokenDocument(f"serving.json is for model {document.model!r}, this server serves {self._store.model!r}")
        errors: list[str] = []
        champion = self._version(document.champion, loaded, loaded.champion, errors)
        shadow = self._version(document.shadow, loaded, None, errors)
        if shadow is not None and champion is not None and shadow.manifest.schema != champion.manifest.schema:
            errors.append(f"shadow {shadow.version} takes other vectors than champion {champion.version}")
            shadow = None
        new = Loaded(document.generation, champion, shadow, time.time_ns() // 1_000_000)
        if (new.generation, new.champion, new.shadow) != (loaded.generation, loaded.champion, loaded.shadow):
            self._engine.swap(new)
            log.info(
                "generation %d: champion %s, shadow %s",
                new.generation,
                champion.version if champion else "none",
                shadow.version if shadow else "none",
            )
        return "; ".join(errors) or None

    def _version(self, wanted: str | None, loaded: Loaded, fallback: OnnxModel | None, errors: list[str]) -> OnnxModel | None:
        """Return the wanted version, loaded already or now; ``fallback`` where it is broken."""
        if wanted is None:
            return None
        for model in (loaded.champion, loaded.shadow):
            if model is not None and model.version == wanted:
                return model
        try:
            model = load(self._store, wanted, self._threads)
            if model.manifest.model != self._store.model:
                message = f"version {wanted} is of model {model.manifest.model!r}, this server serves {self._store.model!r}"
                raise BrokenVersion(message)
        except StoreError as problem:
            errors.append(str(problem))
            return fallback
        return model

    def _stamp(self) -> _Stamp:
        try:
            return self._store.stamp()
        except Exception:
            # No document, or a store that is away, whose file system may raise anything: the look itself says what is wrong.
            return None

    def _run(self) -> None:
        while not self._stopping.wait(self._poll_s):
            self.step()
