from __future__ import annotations

import numpy as np
import pytest

from serving.server.onnx_model import OnnxModel
from serving.store.model_store import BrokenVersion
from tests.unit.serving.tiny_models import WIDTH, expected, make_manifest, onnx_bytes

rng = np.random.default_rng(3)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("rows", [1, 2, 1000])
def test_scores_are_float32_n(flat: bool, rows: int) -> None:
    data = onnx_bytes(bias=-0.5, flat=flat, schema=make_manifest("v1", b"").schema)
    vectors = rng.normal(size=(rows, WIDTH)).astype(np.float32)
    scores = OnnxModel(make_manifest("v1", data), data).predict(vectors)
    assert scores.shape == (rows,)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected(vectors, -0.5), rtol=1e-5)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cannot load"),
        (b"garbage", "cannot load"),
        (onnx_bytes()[:200], "cannot load"),
        (onnx_bytes(width=WIDTH - 1), "features"),
        (onnx_bytes(output="probability_of_fraud"), "without 'score'"),
        (onnx_bytes(schema="fraud_v0-0000000000"), "fraud_v0-0000000000"),
        (onnx_bytes(scale=100.0), r"outside \[0, 1\]"),
        (onnx_bytes(fragile=True, bias=float("nan")), "not finite"),
    ],
)
def test_a_model_that_does_not_do_what_its_manifest_says_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(BrokenVersion, match=f"model.onnx of v3 is refused: .*{reason}"):
        OnnxModel(make_manifest("v3", data), data)


def test_a_score_that_is_not_finite_is_an_error() -> None:
    data = onnx_bytes(fragile=True)
    model = OnnxModel(make_manifest("v1", data), data)
    with pytest.raises(ValueError, match="not finite"):
        model.predict(np.full((2, WIDTH), -1.0, dtype=np.float32))
