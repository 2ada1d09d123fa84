"""ONNX: the form a model is served in, and the proof that it says the same as its own framework."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.base.files import replacing

if TYPE_CHECKING:
    from onnx import ModelProto

#: Largest difference between a score of the family's own framework and its ONNX twin.
TOLERANCE = 1e-4
OPSET = 17


class ExportError(RuntimeError):
    """The ONNX file does not do what the fitted model does; nothing was kept."""


def export(graph: ModelProto, expected: NDArray[np.float32], path: Path, sample: NDArray[np.float32], schema: str) -> float:
    """Write ``graph``, of a model that was trained on vectors of ``schema``, to ``path`` (input ``features``, output ``score``).

    ``expected`` float32 [n]: what the model says of ``sample`` [n, WIDTH] in its own framework. Returns the largest difference
    seen. Raises ExportError, and leaves no file, where it is above TOLERANCE. Converters write broken files without an error, so
    an unchecked export counts as none.
    """
    _rename_output(graph, "score")
    # The model server refuses a file that was trained under another schema than its manifest names.
    graph.metadata_props.add(key="schema", value=schema)
    with replacing(path) as draft:
        draft.file.write(graph.SerializeToString())
        draft.file.flush()
        return check(draft.hidden, expected, sample)


def check(path: Path, expected: NDArray[np.float32], sample: NDArray[np.float32]) -> float:
    """Return the largest difference between the scores of the file and ``expected`` [n] on ``sample``. Raises ExportError."""
    try:
        scores = score(path, sample)
    except Exception as error:  # onnxruntime has a class per kind of broken file
        raise ExportError(f"{path.name} cannot be run: {error}") from error
    if scores.shape != expected.shape or not np.isfinite(scores).all():
        raise ExportError(f"{path.name} gave scores of shape {scores.shape}, not {expected.shape}, or one that is not finite")
    difference = float(np.abs(scores - expected).max()) if len(scores) else 0.0
    if difference > TOLERANCE:
        raise ExportError(
            f"{path.name} differs from the fitted model by {difference:.2g} on a sample of {len(scores)}, above {TOLERANCE:g}"
        )
    return difference


def score(path: Path, vectors: NDArray[np.float32], threads: int = 2, batch: int = 16_384) -> NDArray[np.float32]:
    """Return the scores, float32 [n], of the model in ``path`` for ``vectors`` [n, WIDTH]."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    parts = [session.run(["score"], {"features": vectors[i : i + batch]})[0].reshape(-1) for i in range(0, len(vectors), batch)]
    return np.concatenate(parts).astype(np.float32) if parts else np.empty(0, np.float32)


def _rename_output(graph: ModelProto, name: str) -> None:
    """Give the only output its name of the contract: the converter names it after an inner node."""
    old = graph.graph.output[0].name
    graph.graph.output[0].name = name
    for node in graph.graph.node:
        node.output[:] = [name if value == old else value for value in node.output]
        node.input[:] = [name if value == old else value for value in node.input]
