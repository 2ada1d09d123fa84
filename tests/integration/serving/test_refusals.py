"""What the model server refuses, and in which words."""

from __future__ import annotations

import http.client
import json

import grpc
import numpy as np
import pytest

from features.base.model_client import ModelRefused, ModelUnavailable
from features.catalogue.vector import SCHEMA
from serving.client import wire
from serving.client.client import KServeClient, options
from tests.integration.serving.process import ROWS, TOKEN, Server, v2_body
from tests.unit.serving.tiny_models import WIDTH

pytestmark = pytest.mark.integration


def test_nobody_passes_without_the_token(server: Server) -> None:
    for token in (None, "", "wrong", TOKEN + "x"):
        refused = server.post("/v1/models/fraud:predict", {"instances": ROWS.tolist()}, token=token)
        assert refused.status == 401
        assert "Authorization: Bearer" in refused.error
        assert server.get("/v2/models/fraud/status", token=token).status == 401
        assert server.post("/v2/repository/models/fraud/unload", b"", token=token).status == 401
    client = server.client(token="wrong")
    with pytest.raises(ModelUnavailable, match="UNAUTHENTICATED"):
        client.predict(ROWS, SCHEMA, 1)
    client.close()
    assert server.get("/metrics", token=None).status == 200


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shape": [8, WIDTH - 1]}, "shape"),
        ({"shape": [-8, WIDTH]}, "shape"),
        ({"shape": [8]}, "shape"),
        ({"shape": [7, WIDTH]}, "takes"),
        ({"shape": [10**9, WIDTH]}, "65,536"),
        ({"datatype": "FP64"}, "must be FP32"),
        ({"datatype": "BYTES"}, "must be FP32"),
        ({"name": "x"}, "'features'"),
        ({"data": ["a"] * ROWS.size}, "numbers only"),
        ({"data": [1e39] * ROWS.size}, "feature 'amount' is inf"),
        ({"data": 5}, "inputs.0.data"),
        ({"data": None}, "inputs.0.data"),
        ({"data": []}, "takes"),
        ({"data": [float("nan")] * ROWS.size}, "row 0, feature 'amount' is nan"),
        ({"data": [float("-inf")] * ROWS.size}, "is -inf"),
        ({"shape": [0, WIDTH], "data": []}, "one row or more"),
        ({"shape": "8"}, "inputs.0.shape"),
        ({"datatype": None}, "inputs.0.datatype"),
        ({"parameters": 5}, "inputs.0.parameters"),
    ],
)
def test_bad_v2_requests_are_named(server: Server, change: dict[str, object], words: str) -> None:
    refused = server.post("/v2/models/fraud/infer", v2_body(**change))
    assert refused.status in (400, 413)
    assert words in refused.error


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        ([], 400),
        ({}, 400),
        ({"instances": []}, 400),
        ({"instances": [[1.0]]}, 400),
        ({"instances": ROWS.tolist(), "user_id": "c1"}, 400),
        ({"instances": ROWS.tolist(), "schema": "fraud_v0-0000000000"}, 400),
        ({"instances": ROWS.tolist(), "schema": 5}, 400),
        ({"instances": ROWS.tolist(), "event_time_ms": "now"}, 400),
        ({"instances": [[0.0] * WIDTH] * 65_537}, 413),
        ({"user_id": 5}, 400),
        ({"user_ids": []}, 400),
        ({"user_id": "a-card-that-never-paid"}, 404),
    ],
)
def test_bad_v1_requests_are_answered_in_kind(server: Server, body: object, status: int) -> None:
    refused = server.post("/v1/models/fraud:predict", body)
    assert refused.status == status
    assert len(refused.error.splitlines()) == 1


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/", 200, ""),
        ("GET", "/nowhere", 404, "GET /nowhere is no route of this server"),
        ("GET", "/v2/models/fraud/versions", 404, "is no route of this server"),
        ("GET", "/v2/models/other", 404, "there is no model 'other'; this server serves 'fraud'"),
        ("GET", "/v2/models/other/ready", 404, "there is no model 'other'"),
        ("GET", "/v1/models/other", 404, "there is no model 'other'"),
        ("POST", "/v2/models/other/infer", 404, "there is no model 'other'"),
        ("GET", "/v2/models/fraud/versions/v2", 404, "version 'v2' does not answer, version v1 answers"),
        ("GET", "/v2/models/fraud/versions/v2/ready", 404, "version 'v2' does not answer"),
        ("POST", "/v2/models/fraud/versions/v2/infer", 404, "version 'v2' does not answer"),
        ("PUT", "/v2", 405, "PUT /v2: this path takes GET only"),
        ("DELETE", "/v2/models/fraud", 405, "takes GET only"),
        ("GET", "/v2/models/fraud/infer", 405, "takes POST only"),
        ("GET", "/v2/repository/index", 405, "takes POST only"),
        ("POST", "/v2/health/live", 405, "takes GET only"),
        ("POST", "/v2/models/fraud/status", 405, "takes GET only"),
        ("GET", "/v1/models/fraud:predict", 405, "takes POST only"),
        ("PUT", "/v1/models/fraud:predict", 405, "takes POST only"),
        ("POST", "/v1/models/fraud", 405, "takes GET only"),
        ("POST", "/v1/models/fraud:classify", 404, "is no route of this server"),
        ("POST", "/healthz", 405, "takes GET, HEAD only"),
        ("GET", "/v2/models/stats", 501, "/metrics"),
        ("GET", "/v2/models/fraud/versions/v1/config", 501, "see /v2/models/<model>"),
    ],
)
def test_every_path_refuses_in_one_form(server: Server, method: str, path: str, status: int, words: str) -> None:
    body = json.dumps(v2_body()).encode() if method in {"POST", "PUT"} else None
    answer = server.call(method, path, body, {}, None, TOKEN)
    assert answer.status == status, answer.body
    if status != 200:
        assert list(answer.json) == ["error"]
        assert words in answer.error
    if status == 405:
        assert answer.headers["allow"]


def test_a_page_of_metrics_refuses_in_the_same_form(server: Server) -> None:
    page = server.settings.ports.metrics["model-server"]
    assert server.get("/nowhere", port=page).error.startswith("GET /nowhere is no route")
    assert server.call("POST", "/healthz", b"", {}, page, None).status == 405


def test_metadata_names_the_shadow_as_an_output_and_not_as_a_version(shadowed: Server) -> None:
    described = shadowed.get("/v2/models/fraud").json
    assert described["versions"] == ["v1"]
    assert [output["name"] for output in described["outputs"]] == ["score", "shadow_score"]
    assert shadowed.post("/v2/models/fraud/versions/v2/infer", v2_body()).status == 404
    assert shadowed.post("/v2/models/fraud/versions/v1/infer", v2_body()).json["model_version"] == "v1"


def test_a_body_in_chunks_beyond_the_limit_is_413(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.settings.ports.rest, timeout=20)
    connection.putrequest("POST", "/v2/models/fraud/infer")
    connection.putheader("Authorization", f"Bearer {TOKEN}")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    block = b"%x\r\n" % (1024 * 1024) + b" " * (1024 * 1024) + b"\r\n"
    for _ in range(65):
        connection.send(block)
    answer = connection.getresponse()
    assert answer.status == 413
    assert "64 MB" in json.loads(answer.read())["error"]
    connection.close()


def test_what_this_server_does_not_do(server: Server) -> None:
    assert server.post("/v2/repository/models/fraud/unload", b"").status == 501
    assert server.post("/v2/repository/models/fraud/load", b"").status == 501
    assert server.post("/v1/models/fraud:explain", {"instances": ROWS.tolist()}).status == 501
    assert server.post("/v1/models/other:predict", {"instances": ROWS.tolist()}).status == 404
    assert server.get("/v2/models/other/status").status == 404
    assert server.status["champion"] == "v1"


def test_bad_calls_on_grpc_are_refused(server: Server, client: KServeClient) -> None:
    for rows, schema, words in (
        (ROWS[:, 1:], SCHEMA, "shape"),
        (ROWS * np.float32(np.nan), SCHEMA, "feature 'amount' is nan"),
        (ROWS, "fraud_v0-0000000000", "'schema' is fraud_v0"),
        (np.zeros((65_537, WIDTH), dtype=np.float32), SCHEMA, "65,536"),
    ):
        with pytest.raises(ModelRefused, match=words):
            client.predict(rows, schema, 1)
    other = server.client(model="other")
    with pytest.raises(ModelRefused, match="other"):
        other.predict(ROWS, SCHEMA, 1)
    other.close()
    # Within the limit it answers.
    prediction = client.predict(np.zeros((65_536, WIDTH), dtype=np.float32), SCHEMA, 1)
    assert prediction is not None
    assert len(prediction.scores) == 65_536


def test_garbage_on_grpc_does_no_harm(server: Server, client: KServeClient) -> None:
    address = server.settings.grpc_address
    with grpc.insecure_channel(address, options=options(address)) as channel:
        call = channel.unary_unary(wire.METHOD)
        for request in (b"", b"\xff\xff\xff", b"\x0a\x05fraud"):
            with pytest.raises(grpc.RpcError):
                call(request, metadata=(("authorization", f"Bearer {TOKEN}"),), timeout=10)
    assert client.predict(ROWS, SCHEMA, 1) is not None
