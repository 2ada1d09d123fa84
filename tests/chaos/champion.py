"""A small perceptron in ONNX, served by the real model server: two layers over squashed features, the same scores in any
batch."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from features.card_state import CardState
from features.columns import from_transactions
from features.events import Transaction
from features.settings import Settings
from features.transform import update
from features.vector import WIDTH
from serving.document import ServingDocument
from serving.store import ModelStore
from tests.unit.serving.tiny_models import make_manifest, version_folder

HIDDEN = 32
#: Of the payments of the history.
ALERTS = 0.02


def onnx_bytes(seed: int) -> bytes:
    """sigmoid(w2 relu(w1 softsign(x))), with weights from ``seed``."""
    rng = np.random.default_rng(seed)
    weights = {
        "w1": rng.normal(size=(WIDTH, HIDDEN)) / np.sqrt(WIDTH) * 2,
        "w2": rng.normal(size=(HIDDEN, 1)) / np.sqrt(HIDDEN) * 3,
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
        "chaos",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", WIDTH])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def install(settings: Settings, folder: Path, seed: int, history: list[bytes]) -> None:
    """Put it into the model store as the champion, with a threshold that ALERTS of the ``history`` (JSON) reach."""
    data = onnx_bytes(seed)
    batch = from_transactions([msgspec.json.decode(value, type=Transaction) for value in history])
    vectors = update(CardState(), batch, settings.features.amount_limit)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    scores = session.run(None, {"features": vectors})[0][:, 0]
    threshold = float(np.quantile(scores, 1 - ALERTS))
    store = ModelStore(settings.model_store)
    store.add(version_folder(folder, "v1", data, make_manifest("v1", data, threshold=threshold)))
    before = store.serving().generation
    store.write_serving(ServingDocument(generation=before + 1, champion="v1"), before)
