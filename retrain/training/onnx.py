"""ONNX: the form a model is served in, and the proof that it says the same as Keras."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.base.files import replacing
from features.catalogue.vector import WIDTH

if TYPE_CHECKING:
    import keras

#: Largest difference between a Keras score and its ONNX twin.
TOLERANCE = 1e-4
OPSET = 17


class ExportError(RuntimeError):
    """The ONNX file does not do what the Keras model does; nothing was kept."""


def export(model: keras.Model, path: Path, sample: NDArray[np.float32], schema: str) -> float:
    """Write ``model``, trained on vectors of ``schema``, to ``path`` (input ``features``, output ``score``); compare both on
    ``sample`` [n, WIDTH].

    Returns the largest difference seen. Raises ExportError, and leaves no file, where it is above TOLERANCE. Converters
    write broken files without an error, so an unchecked export counts as none.
    """
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec((None, WIDTH), tf.float32, name="features")]
    graph, _ = tf2onnx.convert.from_keras(model, input_signature=signature, opset=OPSET)
    _rename_output(graph, "score")
    # The model server refuses a file that was trained under another schema than its manifest names.
    graph.metadata_props.add(key="schema", value=schema)
    expected = np.asarray(model.predict(sample, batch_size=4096, verbose=0)).reshape(-1)
    with replacing(path) as draft:
        draft.file.write(graph.SerializeToString())
        draft.file.flush()
        return check(draft.hidden, expected, sample)


def check(path: Path, expected: NDArray[np.float32], sample: NDArray[np.float32]) -> float:
    """Largest difference between the scores of the file and ``expected`` [n] on ``sample``. Raises ExportError."""
    try:
        scores = score(path, sample)
    except Exception as error:  # onnxruntime has a class per kind of broken file
        raise ExportError(f"{path.name} cannot be run: {error}") from error
    if scores.shape != expected.shape or not np.isfinite(scores).all():
        raise ExportError(f"{path.name} gave scores of shape {scores.shape}, not {expected.shape}, or one that is not finite")
    difference = float(np.abs(scores - expected).max()) if len(scores) else 0.0
    if difference > TOLERANCE:
        raise ExportError(
            f"{path.name} differs from the Keras model by {difference:.2g} on a sample of {len(scores)}, above {TOLERANCE:g}"
        )
    return difference


def score(path: Path, vectors: NDArray[np.float32], threads: int = 2, batch: int = 16_384) -> NDArray[np.float32]:
    """Scores, float32 [n], of the model in ``path`` for ``vectors`` [n, WIDTH]."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    parts = [session.run(["score"], {"features": vectors[i : i + batch]})[0].reshape(-1) for i in range(0, len(vectors), batch)]
    return np.concatenate(parts).astype(np.float32) if parts else np.empty(0, np.float32)


def _rename_output(graph: object, name: str) -> None:
    """Give the only output its name of the contract: the converter names it after an inner node."""
    from onnx import ModelProto

    assert isinstance(graph, ModelProto)
    old = graph.graph.output[0].name
    graph.graph.output[0].name = name
    for node in graph.graph.node:
        node.output[:] = [name if value == old else value for value in node.output]
        node.input[:] = [name if value == old else value for value in node.input]
