"""Tiny ONNX models, made without TensorFlow: score = sigmoid(mean of the features + bias)."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from features.catalogue import vector
from serving.store import manifest as manifests
from serving.store.manifest import Manifest

WIDTH = vector.WIDTH


def onnx_bytes(
    width: int = WIDTH,
    bias: float = 0.0,
    *,
    flat: bool = False,
    output: str = "score",
    schema: str | None = None,
    scale: float = 1.0,
    fragile: bool = False,
) -> bytes:
    """A model of ``features`` [n, width]; ``flat`` gives [n] in place of [n, 1], ``scale`` other scores than in [0, 1].

    A ``fragile`` one takes the root of the mean: NaN where that is negative.
    """
    nodes = [
        helper.make_node("MatMul", ["features", "weights"], ["sum"]),
        helper.make_node("Sqrt" if fragile else "Identity", ["sum"], ["term"]),
        helper.make_node("Add", ["term", "bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["probability"]),
        helper.make_node("Mul", ["probability", "scale"], ["column"]),
    ]
    last = (
        helper.make_node("Squeeze", ["column", "axis"], [output]) if flat else helper.make_node("Identity", ["column"], [output])
    )
    weights = np.full((width, 1), 1.0 / width, dtype=np.float32)
    graph = helper.make_graph(
        [*nodes, last],
        "tiny",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", width])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n"] if flat else ["n", 1])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([bias], dtype=np.float32), "bias"),
            numpy_helper.from_array(np.array([scale], dtype=np.float32), "scale"),
            numpy_helper.from_array(np.array([1], dtype=np.int64), "axis"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if schema is not None:
        helper.set_model_props(model, {"schema": schema})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def expected(rows: NDArray[np.float32], bias: float = 0.0) -> NDArray[np.float32]:
    """What such a model says of ``rows``."""
    return np.asarray(1.0 / (1.0 + np.exp(-(rows.mean(axis=1) + bias))), dtype=np.float32)


def make_manifest(
    version: str, data: bytes, *, schema: str = vector.SCHEMA, width: int = WIDTH, threshold: float = 0.5
) -> Manifest:
    names = list(vector.NAMES) if width == WIDTH else [f"f{i}" for i in range(width)]
    return Manifest(
        model="fraud",
        version=version,
        created_at_ms=time.time_ns() // 1_000_000,
        schema=schema,
        features=names,
        threshold=threshold,
        sha256=hashlib.sha256(data).hexdigest(),
    )


def version_folder(folder: Path, version: str, data: bytes, manifest: Manifest | None = None) -> Path:
    """A finished version folder, as the pipeline leaves it."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(data)
    (folder / "evaluation.json").write_text("{}")
    (folder / manifests.FILE_NAME).write_bytes(manifests.encode(manifest or make_manifest(version, data)))
    return folder
