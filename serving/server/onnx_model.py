"""A model version in onnxruntime: checked against its manifest, warmed up, and ready to score from any thread."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from serving.store.manifest import Manifest
from serving.store.model_store import BrokenVersion, ModelStore, check_model

INPUT = "features"
OUTPUT = "score"
#: An ONNX file may name the schema that it was trained under; where it does, it must be the manifest's.
SCHEMA_KEY = "schema"
_WARM_UP_ROWS = (1, 256)


class OnnxModel:
    """Scores vectors with one version. Immutable; ``predict`` may be called from several threads at once."""

    def __init__(self, manifest: Manifest, data: bytes, threads: int = 1) -> None:
        """Load ``data``, the ONNX file. Raises BrokenVersion where it cannot be loaded or does not do what the manifest says."""
        self.manifest = manifest
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Threads that spin between two calls would take a core from the rest of the loop.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            # onnxruntime's exceptions share no base class below Exception.
            raise self._broken(f"onnxruntime cannot load it ({_first_line(error)})") from error
        self._check_interface()
        self._warm_up()

    @property
    def version(self) -> str:
        return self.manifest.version

    @property
    def width(self) -> int:
        """Return how many features a vector has."""
        return len(self.manifest.features)

    def predict(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the scores float32 [n] of ``vectors`` float32 [n, width].

        Raises ValueError where the model gives another number of scores, or one that is not finite.
        """
        (output,) = self._session.run([OUTPUT], {INPUT: vectors})
        scores = np.ascontiguousarray(output, dtype=np.float32).reshape(-1)
        if len(scores) != len(vectors):
            raise ValueError(f"version {self.version} gave {len(scores)} scores for {len(vectors)} vectors")
        if not np.isfinite(scores).all():
            raise ValueError(f"version {self.version} gave a score that is not finite")
        return scores

    def _check_interface(self) -> None:
        inputs = {i.name: i for i in self._session.get_inputs()}
        outputs = {o.name: o for o in self._session.get_outputs()}
        if set(inputs) != {INPUT}:
            raise self._broken(f"its inputs are {sorted(inputs)}, not ['{INPUT}']")
        if OUTPUT not in outputs:
            raise self._broken(f"its outputs are {sorted(outputs)}, without '{OUTPUT}'")
        for tensor in (inputs[INPUT], outputs[OUTPUT]):
            if tensor.type != "tensor(float)":
                raise self._broken(f"'{tensor.name}' is {tensor.type}, not tensor(float)")
        shape = inputs[INPUT].shape
        if len(shape) != 2 or (isinstance(shape[1], int) and shape[1] != self.width):
            raise self._broken(f"'{INPUT}' has the shape {shape}, its manifest lists {self.width} features")
        named = self._session.get_modelmeta().custom_metadata_map.get(SCHEMA_KEY)
        if named is not None and named != self.manifest.schema:
            raise self._broken(f"it was trained under the schema {named}, its manifest says {self.manifest.schema}")

    def _warm_up(self) -> None:
        """Run it once small and once large, so that no caller pays for that, nor meets a graph that cannot run."""
        for rows in _WARM_UP_ROWS:
            try:
                scores = self.predict(np.zeros((rows, self.width), dtype=np.float32))
            except Exception as error:
                raise self._broken(f"it cannot score a vector of zeros ({_first_line(error)})") from error
            if scores.min() < 0.0 or scores.max() > 1.0:
                raise self._broken("it scores a vector of zeros outside [0, 1]")

    def _broken(self, what: str) -> BrokenVersion:
        return BrokenVersion(f"model.onnx of {self.manifest.version} is refused: {what}; export the model again")


def load(store: ModelStore, version: str, threads: int = 1) -> OnnxModel:
    """Load the version from the store, warm. Raises StoreError."""
    manifest = store.manifest(version)
    return OnnxModel(manifest, check_model(store.path(version), manifest), threads)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
