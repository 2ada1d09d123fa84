from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from features.base.model_client import ModelUnavailable
from features.base.settings import SettingsError
from infra.security.certificates import authority, certificate
from serving.client import wire
from serving.client.client import KServeClient, options

ROWS = np.arange(6, dtype=np.float32).reshape(2, 3)
#: One float32 above 1: what onnxruntime's sigmoid gives for some inputs.
ABOVE = float(np.nextafter(np.float32(1), np.float32(2)))
NAN, INF = float("nan"), float("inf")


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


@pytest.mark.parametrize("data", [b"\xff\xfe\x01", b"\x0a\x02\xff\xfe", b"<html></html>"])
def test_what_is_no_message_is_malformed(data: bytes) -> None:
    with pytest.raises(wire.MalformedResponse, match=r"no ModelInferResponse .* another server"):
        wire.decode_response(data)


@pytest.mark.parametrize("name", ["score", "shadow_score"])
def test_half_a_value_is_malformed(stubs: Any, name: str) -> None:
    message = response(stubs, score=[0.25], shadow_score=[0.5])
    message.raw_output_contents[["score", "shadow_score"].index(name)] = b"\0\0\0"
    with pytest.raises(wire.MalformedResponse, match=f"'{name}' .* has 3 bytes"):
        wire.decode_response(message.SerializeToString())


@pytest.mark.parametrize("score", [NAN, INF, -INF, -0.1, 1.001])
def test_a_score_that_is_none_is_malformed(stubs: Any, score: float) -> None:
    with pytest.raises(wire.MalformedResponse, match=r"'score' .* not in \[0, 1\]"):
        wire.decode_response(response(stubs, score=[0.25, score, 0.5]).SerializeToString())


def test_what_rounding_puts_beside_the_range_is_put_back(stubs: Any) -> None:
    message = response(stubs, score=[0.25, ABOVE, -1e-7], shadow_score=[ABOVE, 0.0, 1.0])
    prediction = wire.decode_response(message.SerializeToString())
    assert prediction.scores.tolist() == [0.25, 1.0, 0.0]
    assert prediction.scores.dtype == np.float32
    assert prediction.shadow_scores is not None
    assert prediction.shadow_scores.tolist() == [1.0, 0.0, 1.0]


@pytest.mark.parametrize("shadow", [NAN, INF, -3.0, 2.0])
def test_a_shadow_that_scores_nonsense_harms_no_score(stubs: Any, shadow: float) -> None:
    prediction = wire.decode_response(response(stubs, score=[0.25, 0.5], shadow_score=[0.5, shadow]).SerializeToString())
    assert prediction.scores.tolist() == [0.25, 0.5]
    assert prediction.shadow_scores is None


def test_shadow_scores_of_other_vectors_harm_no_score(stubs: Any) -> None:
    prediction = wire.decode_response(response(stubs, score=[0.25, 0.5], shadow_score=[0.5]).SerializeToString())
    assert prediction.scores.tolist() == [0.25, 0.5]
    assert prediction.shadow_scores is None


@pytest.mark.parametrize("threshold", ["nan", "inf", "-Infinity"])
def test_a_threshold_that_is_none_is_malformed(stubs: Any, threshold: str) -> None:
    message = response(stubs, score=[0.25])
    message.parameters["threshold"].string_param = threshold
    with pytest.raises(wire.MalformedResponse, match=r"'threshold' .* is -?(nan|inf)"):
        wire.decode_response(message.SerializeToString())


def test_no_scores_are_no_mistake(stubs: Any) -> None:
    assert wire.decode_response(response(stubs, score=[]).SerializeToString()).scores.tolist() == []


class Always(grpc.GenericRpcHandler):
    """Gives the same bytes to every call."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def service(self, _: grpc.HandlerCallDetails) -> Any:
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self._answer)


@contextmanager
def answering(answer: bytes) -> Iterator[KServeClient]:
    """A client of a real server that gives the same answer to every call."""
    server = grpc.server(ThreadPoolExecutor(1), (Always(answer),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    client = KServeClient(f"127.0.0.1:{port}", "fraud", "token")
    try:
        yield client
    finally:
        client.close()
        server.stop(None).wait()


@pytest.mark.parametrize(
    "answer",
    [
        lambda stubs: b"\xff\xfe\x01",
        lambda stubs: b"",
        lambda stubs: response(stubs, score=[0.5, NAN]).SerializeToString(),
        lambda stubs: response(stubs, score=[0.5]).SerializeToString(),
    ],
)
def test_an_answer_that_is_none_is_unavailable(stubs: Any, answer: Callable[[Any], bytes]) -> None:
    with answering(answer(stubs)) as client, pytest.raises(ModelUnavailable, match="model server"):
        client.predict(ROWS, "s", 1)


def test_an_answer_that_is_one_is_taken(stubs: Any) -> None:
    with answering(response(stubs, score=[0.5, 0.25]).SerializeToString()) as client:
        prediction = client.predict(ROWS, "s", 1)
    assert prediction is not None
    assert prediction.scores.tolist() == [0.5, 0.25]


def certified(folder: Path) -> Path:
    """A folder with an authority, and a certificate of it for the model server on this host."""
    folder.mkdir()
    authority(folder)
    certificate(folder, "model-server")
    return folder


def test_with_an_authority_it_speaks_tls_with_that_authoritys_server_only(stubs: Any, tmp_path: Path) -> None:
    ours, other = certified(tmp_path / "ours"), certified(tmp_path / "other")
    pem = (ours / "model-server.pem").read_bytes()
    server = grpc.server(ThreadPoolExecutor(1), (Always(response(stubs, score=[0.5, 0.25]).SerializeToString()),))
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(pem, pem)]))
    server.start()
    trusting, strange, plain = (
        KServeClient(f"127.0.0.1:{port}", "fraud", "token", 5.0, trusted) for trusted in (ours / "ca.pem", other / "ca.pem", None)
    )
    try:
        prediction = trusting.predict(ROWS, "s", 1)
        assert prediction is not None
        assert prediction.scores.tolist() == [0.5, 0.25]
        for client in (strange, plain):
            with pytest.raises(ModelUnavailable, match="UNAVAILABLE"):
                client.predict(ROWS, "s", 1)
    finally:
        for client in (trusting, strange, plain):
            client.close()
        server.stop(None).wait()


def test_an_authority_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"network\.tls\.authority: .*/ca\.pem cannot be read \(No such file"):
        KServeClient("127.0.0.1:1", "fraud", "token", authority=tmp_path / "ca.pem")


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
    code = f"import sys, serving.client.client; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize(("address", "proxy"), [("127.0.0.1:8081", 0), ("localhost:8081", 0), ("model.example:8081", 1)])
def test_only_a_server_elsewhere_is_asked_for_through_a_proxy(address: str, proxy: int) -> None:
    assert dict(options(address))["grpc.enable_http_proxy"] == proxy
