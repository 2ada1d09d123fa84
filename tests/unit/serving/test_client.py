from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.prediction import ModelUnavailable
from serving import wire
from serving.client import KServeClient

ROWS = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture(scope="module")
def stubs() -> Any:
    """KServe's generated messages, without the eight seconds of importing KServe itself."""
    package = importlib.util.find_spec("kserve")
    assert package is not None
    assert package.origin is not None
    path = Path(package.origin).parent / "protocol" / "grpc" / "grpc_predict_v2_pb2.py"
    spec = importlib.util.spec_from_file_location("kserve_messages", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_kserve_reads_what_we_write(stubs: Any) -> None:
    request = stubs.ModelInferRequest.FromString(wire.encode_request("fraud", ROWS, "fraud_v1-abc", 1_700_000_000_000))
    assert request.model_name == "fraud"
    assert [(i.name, i.datatype, list(i.shape)) for i in request.inputs] == [("features", "FP32", [2, 3])]
    assert request.raw_input_contents[0] == ROWS.tobytes()
    assert request.parameters["schema"].string_param == "fraud_v1-abc"
    assert request.parameters["event_time_ms"].int64_param == 1_700_000_000_000


def test_rows_in_any_layout_are_written_row_by_row(stubs: Any) -> None:
    for rows in (np.asfortranarray(ROWS), np.repeat(ROWS, 2, axis=0)[::2], ROWS.astype(">f4")):
        assert stubs.ModelInferRequest.FromString(wire.encode_request("m", rows, "s", 1)).raw_input_contents[0] == ROWS.tobytes()


def response(stubs: Any, **outputs: list[float]) -> Any:
    message = stubs.ModelInferResponse(model_name="fraud", model_version="v3")
    for name, scores in outputs.items():
        message.outputs.add(name=name, datatype="FP32", shape=[len(scores)])
        message.raw_output_contents.append(np.array(scores, dtype=np.float32).tobytes())
    message.parameters["threshold"].string_param = repr(0.1)
    return message


def test_we_read_what_kserve_writes(stubs: Any) -> None:
    message = response(stubs, score=[0.25, 0.5], shadow_score=[0.75, 1.0])
    message.parameters["shadow_version"].string_param = "v4"
    prediction = wire.decode_response(message.SerializeToString())
    assert (prediction.version, prediction.threshold, prediction.shadow_version) == ("v3", 0.1, "v4")
    assert prediction.scores.tolist() == [0.25, 0.5]
    assert prediction.shadow_scores is not None
    assert prediction.shadow_scores.tolist() == [0.75, 1.0]


def test_without_a_shadow_there_are_no_shadow_scores(stubs: Any) -> None:
    prediction = wire.decode_response(response(stubs, score=[0.25]).SerializeToString())
    assert prediction.shadow_scores is None
    assert prediction.shadow_version is None


def test_another_servers_answer_is_malformed(stubs: Any) -> None:
    with pytest.raises(wire.MalformedResponse, match="score"):
        wire.decode_response(response(stubs, other=[1.0]).SerializeToString())
    with pytest.raises(wire.MalformedResponse, match="threshold"):
        message = response(stubs, score=[1.0])
        del message.parameters["threshold"]
        wire.decode_response(message.SerializeToString())


def test_nobody_there_is_unavailable_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = KServeClient(f"127.0.0.1:{taken.getsockname()[1]}", "fraud", "token", timeout_s=5.0)
        with pytest.raises(ModelUnavailable, match="UNAVAILABLE"):
            client.predict(ROWS, "s", 1)
        client.close()


def test_a_server_that_does_not_answer_is_unavailable_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = KServeClient(f"127.0.0.1:{silent.getsockname()[1]}", "fraud", "token", timeout_s=0.2)
        with pytest.raises(ModelUnavailable, match="DEADLINE_EXCEEDED"):
            client.predict(ROWS, "s", 1)
        client.close()


def test_the_client_needs_no_kserve() -> None:
    heavy = ("kserve", "onnxruntime", "fastapi", "feast", "pandas")
    code = f"import sys, serving.client; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
