"""What the model server answers over REST v1, REST v2 and gRPC."""

from __future__ import annotations

import json

import numpy as np
import pytest

from features.base.redaction import hashed
from features.catalogue.vector import SCHEMA
from features.online.store import Activity, OnlineWriter
from serving.client.client import KServeClient
from tests.integration.serving.process import ROWS, Server, v2_body
from tests.unit.serving.tiny_models import WIDTH, expected

pytestmark = pytest.mark.integration


def test_the_three_protocols_agree(server: Server, client: KServeClient) -> None:
    prediction = client.predict(ROWS, SCHEMA, 1_700_000_000_123)
    assert prediction is not None
    np.testing.assert_allclose(prediction.scores, expected(ROWS), rtol=1e-5)
    assert (prediction.version, prediction.threshold) == ("v1", 0.3)
    assert prediction.shadow_scores is None
    assert prediction.shadow_version is None
    assert server.status["last_event_time_ms"] == 1_700_000_000_123

    v1 = server.post("/v1/models/fraud:predict", {"instances": ROWS.tolist(), "schema": SCHEMA}).json
    assert v1["predictions"] == pytest.approx(prediction.scores.tolist())
    assert (v1["model_version"], v1["threshold"]) == ("v1", 0.3)

    v2 = server.post("/v2/models/fraud/infer", v2_body() | {"parameters": {"schema": SCHEMA}}).json
    assert v2["outputs"][0]["data"] == pytest.approx(prediction.scores.tolist())
    assert (v2["model_version"], v2["parameters"]["threshold"]) == ("v1", "0.3")

    tensor = {"name": "features", "shape": list(ROWS.shape), "datatype": "FP32", "parameters": {"binary_data_size": ROWS.nbytes}}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    length = str(len(head))
    raw = server.post(
        "/v2/models/fraud/infer",
        head + ROWS.tobytes(),
        content_type="application/octet-stream",
        inference_header_content_length=length,
    )
    scores = np.frombuffer(raw.body[int(raw.headers["inference-header-content-length"]) :], dtype=np.float32)
    np.testing.assert_array_equal(scores, prediction.scores)


def test_the_model_describes_itself(server: Server) -> None:
    assert server.get("/v2/models/fraud").json["inputs"] == [{"name": "features", "datatype": "FP32", "shape": [-1, WIDTH]}]


def test_scores_by_card_id(server: Server) -> None:
    writer = OnlineWriter(server.settings)
    known = [Activity(f"serving-card-{i}", 1_700_000_000_000 + i, row, SCHEMA, None, f"t{i}") for i, row in enumerate(ROWS)]
    writer.write_activity([*known, Activity("serving-old-card", 1_700_000_000_000, ROWS[0], "fraud_v0-0000000000", None, "t")])
    writer.close()
    answer = server.post("/v1/models/fraud:predict", {"user_id": "serving-card-3"}).json
    assert answer["predictions"] == pytest.approx(expected(ROWS[3:4]).tolist())
    many = server.post("/v1/models/fraud:predict", {"user_ids": ["serving-card-5", "serving-card-1"]}).json
    assert many["predictions"] == pytest.approx(expected(ROWS[[5, 1]]).tolist())
    assert many["user_ids"] == ["serving-card-5", "serving-card-1"]
    unknown = server.post("/v1/models/fraud:predict", {"user_ids": ["serving-card-5", "serving-nobody"]})
    assert unknown.status == 404
    assert f"no payment of card number 2 ({hashed(server.settings, 'serving-nobody')}) is known" in unknown.error
    old = server.post("/v1/models/fraud:predict", {"user_id": "serving-old-card"})
    assert old.status == 400
    assert f"card number 1 ({hashed(server.settings, 'serving-old-card')}) was made under another schema" in old.error
