"""A perceptron in ONNX as the champion: two layers over squashed features, with random weights, the same scores in any batch.

What it says is not judged. The chaos runs serve it too (tests/chaos/champion.py).
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from features.base.settings import Settings
from features.catalogue.vector import NAMES, WIDTH, vector_schema
from features.domains.card_fraud.event import Payment
from features.history.state import SubjectState
from features.transform.columns import from_events
from features.transform.update import update
from serving.store import manifest
from serving.store.document import ServingDocument
from serving.store.model_store import ModelStore

_HIDDEN = 32
#: Of the events that the threshold is chosen by: such a share of them alerts.
_ALERTS = 0.02
VERSION = "v1"


def install(settings: Settings, folder: Path, events: list[Payment], seed: int = 1) -> None:
    """Put it into the model store as the champion, with a threshold that one in fifty of ``events`` reaches."""
    data = _onnx(seed)
    vectors = update(SubjectState(), from_events(events), settings.features.measure_limit)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    threshold = float(np.quantile(session.run(None, {"features": vectors})[0][:, 0], 1 - _ALERTS))
    made = manifest.Manifest(
        model=settings.model,
        version=VERSION,
        created_at_ms=time.time_ns() // 1_000_000,
        schema=vector_schema(settings.features),
        features=list(NAMES),
        threshold=threshold,
        sha256=hashlib.sha256(data).hexdigest(),
    )
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(data)
    (folder / "evaluation.json").write_text("{}")
    (folder / manifest.FILE_NAME).write_bytes(manifest.encode(made))
    store = ModelStore(settings.model_store)
    store.add(folder)
    before = store.serving().generation
    store.write_serving(ServingDocument(generation=before + 1, champion=VERSION), before)


def _onnx(seed: int) -> bytes:
    draw = np.random.default_rng(seed)
    weights = {
        "w1": draw.normal(size=(WIDTH, _HIDDEN)) / np.sqrt(WIDTH) * 2,
        "w2": draw.normal(size=(_HIDDEN, 1)) / np.sqrt(_HIDDEN) * 3,
    }
    nodes = [
        helper.make_node("Softsign", ["features"], ["squashed"]),
        helper.make_node("MatMul", ["squashed", "w1"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "w2"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["score"]),
    ]
    graph = helper.make_graph(
        nodes,
        "benchmark",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", WIDTH])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
