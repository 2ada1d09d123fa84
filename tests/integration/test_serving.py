"""The real model server, as a process, with tiny ONNX models."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from features.online import Activity, OnlineWriter
from features.prediction import ModelRefused, ModelUnavailable
from features.settings import Settings, load
from features.vector import SCHEMA
from serving import rollout, wire
from serving.client import KServeClient
from serving.document import ServingDocument
from serving.store import ModelStore
from tests.unit.serving.tiny_models import WIDTH, expected, make_manifest, onnx_bytes, version_folder

pytestmark = pytest.mark.integration

TOKEN = "a-token"
ROWS = np.random.default_rng(5).normal(size=(8, WIDTH)).astype(np.float32)
MAIN = "from features.settings import load; from serving.server import main; main(load())"


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)


@dataclass
class Reply:
    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"])


class Server:
    """A platform's folder, with a model server in it."""

    def __init__(self, folder: Path, redis_port: int = 0) -> None:
        rest, rpc, page = free_ports(3)
        folder.mkdir()
        text = f"[ports]\nredis = {redis_port}\nrest = {rest}\ngrpc = {rpc}\n[ports.metrics]\nmodel-server = {page}\n"
        (folder / "driftloop.toml").write_text(text)
        (folder / "token").write_text(TOKEN + "\n")
        self.folder = folder
        self.settings: Settings = load(folder)
        self.store = ModelStore(self.settings.model_store)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            environment = {**os.environ, "DRIFTLOOP_DIR": str(self.folder)}
            self.process = subprocess.Popen([sys.executable, "-c", MAIN], env=environment, stdout=log, stderr=log)
        wait_for(self._up, 90, "the server is up")

    def _up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            return self.get("/healthz", port=self.settings.ports.metrics["model-server"]).status == 200
        except OSError:
            return False

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(10)
        finally:
            self.kill()

    def kill(self) -> None:
        """For a test that failed halfway: leaves no process."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def get(self, path: str, port: int | None = None, token: str | None = TOKEN) -> Reply:
        return self.call("GET", path, None, {}, port, token)

    def post(self, path: str, body: object, token: str | None = TOKEN, **headers: str) -> Reply:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.call("POST", path, data, {k.replace("_", "-"): v for k, v in headers.items()}, None, token)

    def call(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], port: int | None, token: str | None
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", port or self.settings.ports.rest, timeout=20)
        headers = {"content-type": "application/json"} | headers
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Reply(response.status, response.read(), {k.lower(): v for k, v in response.getheaders()})
        finally:
            connection.close()

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.get("/v2/models/fraud/status").json)

    def client(self, token: str = TOKEN, model: str = "fraud") -> KServeClient:
        return KServeClient(self.settings.grpc_address, model, token, timeout_s=20)

    def add(self, version: str, data: bytes) -> None:
        manifest = make_manifest(version, data, threshold=0.3)
        self.store.add(version_folder(self.folder / f"run-{version}", version, data, manifest))

    def serve(self, champion: str | None, shadow: str | None = None) -> int:
        now = self.store.serving().generation
        count = 1000 if shadow else 0
        document = ServingDocument(generation=now + 1, champion=champion, shadow=shadow, shadow_transactions=count)
        return self.store.write_serving(document, now).generation

    def wait_for_generation(self, generation: int) -> None:
        wait_for(lambda: self.status["generation"] == generation, 10, f"generation {generation} is served")


@pytest.fixture(scope="module")
def server(platform: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the module, with v1 as champion and v2 at hand; each test leaves v1 alone as champion."""
    made = Server(tmp_path_factory.mktemp("serving") / "platform", platform.ports.redis)
    made.add("v1", onnx_bytes())
    made.add("v2", onnx_bytes(bias=1.0, flat=True))
    made.serve("v1")
    made.start()
    yield made
    assert made.stop() == 0


@pytest.fixture
def shadowed(server: Server) -> Iterator[Server]:
    server.wait_for_generation(server.serve("v1", "v2"))
    yield server
    server.wait_for_generation(server.serve("v1"))


@pytest.fixture
def client(server: Server) -> Iterator[KServeClient]:
    made = server.client()
    yield made
    made.close()


def v2_body(**changes: object) -> dict[str, object]:
    tensor = {"name": "features", "shape": list(ROWS.shape), "datatype": "FP32", "data": ROWS.ravel().tolist()}
    return {"inputs": [tensor | changes]}


def test_from_nothing_to_a_champion_to_sigterm(tmp_path: Path) -> None:
    server = Server(tmp_path / "platform", redis_port=free_ports(1)[0])
    server.start()
    client = server.client()
    try:
        assert client.predict(ROWS, SCHEMA, 1) is None
        refused = server.post("/v1/models/fraud:predict", {"instances": ROWS.tolist()})
        assert refused.status == 409
        assert "no champion yet" in refused.error
        assert server.post("/v2/models/fraud/infer", v2_body()).status == 409
        # The server is healthy, the model is not ready: two different things.
        assert server.get("/healthz", token=None).status == 200
        assert server.get("/v2/health/ready", token=None).status == 200
        assert server.get("/v2/models/fraud/ready", token=None).status == 503
        assert server.status["failed_predictions"] == 0

        server.add("v1", onnx_bytes())
        document = rollout.on_registered(server.store.serving(), "v1", 1000)
        server.store.write_serving(document, 0)
        wait_for(lambda: client.predict(ROWS, SCHEMA, 1) is not None, 10, "the champion answers")
        assert server.get("/v2/models/fraud/ready", token=None).status == 200

        # Redis is down here: vectors are scored all the same.
        down = server.post("/v1/models/fraud:predict", {"user_id": "c1"})
        assert down.status == 503
        assert "online store does not answer" in down.error
        assert server.post("/v1/models/fraud:predict", {"instances": ROWS.tolist()}).status == 200

        assert b"200 OK" in sigterm_during_a_request(server)
    finally:
        client.close()
        server.kill()


def sigterm_during_a_request(server: Server) -> bytes:
    """Sends half a request, SIGTERM, and the other half; the server must answer and end with 0 within 5 s."""
    assert server.process is not None
    body = json.dumps({"instances": ROWS.tolist()}).encode()
    head = (
        "POST /v1/models/fraud:predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.settings.ports.rest), timeout=20) as slow:
        slow.sendall(head.encode() + body[:100])
        time.sleep(0.3)
        begin = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        slow.sendall(body[100:])
        answer = slow.recv(65_536)
    assert server.process.wait(10) == 0
    assert time.monotonic() - begin < 5.0
    return answer


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


def test_scores_by_card_id(server: Server) -> None:
    writer = OnlineWriter(server.settings)
    known = [Activity(f"serving-card-{i}", 1_700_000_000_000 + i, row, SCHEMA, None, f"t{i}") for i, row in enumerate(ROWS)]
    writer.write_activity([*known, Activity("serving-old-card", 1_700_000_000_000, ROWS[0], "fraud_v0-0000000000", None, "t")])
    writer.close()
    one = server.post("/v1/models/fraud:predict", {"user_id": "serving-card-3"}).json
    assert one["predictions"] == pytest.approx(expected(ROWS[3:4]).tolist())
    many = server.post("/v1/models/fraud:predict", {"user_ids": ["serving-card-5", "serving-card-1"]}).json
    assert many["predictions"] == pytest.approx(expected(ROWS[[5, 1]]).tolist())
    assert many["user_ids"] == ["serving-card-5", "serving-card-1"]
    unknown = server.post("/v1/models/fraud:predict", {"user_ids": ["serving-card-5", "serving-nobody"]})
    assert unknown.status == 404
    assert "no transaction of card serving-nobody is known" in unknown.error
    old = server.post("/v1/models/fraud:predict", {"user_id": "serving-old-card"})
    assert old.status == 400
    assert "serving-old-card was made under another schema" in old.error


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
    with grpc.insecure_channel(server.settings.grpc_address) as channel:
        call = channel.unary_unary(wire.METHOD)
        for request in (b"", b"\xff\xff\xff", b"\x0a\x05fraud"):
            with pytest.raises(grpc.RpcError):
                call(request, metadata=(("authorization", f"Bearer {TOKEN}"),), timeout=10)
    assert client.predict(ROWS, SCHEMA, 1) is not None


def test_shadow_scores_travel_beside_the_champions(shadowed: Server, client: KServeClient) -> None:
    prediction = client.predict(ROWS, SCHEMA, 1)
    assert prediction is not None
    assert prediction.shadow_scores is not None
    assert (prediction.version, prediction.shadow_version) == ("v1", "v2")
    np.testing.assert_allclose(prediction.scores, expected(ROWS), rtol=1e-5)
    np.testing.assert_allclose(prediction.shadow_scores, expected(ROWS, 1.0), rtol=1e-5)
    reply = shadowed.post("/v1/models/fraud:predict", {"instances": ROWS.tolist()}).json
    assert reply["shadow_predictions"] == pytest.approx(prediction.shadow_scores.tolist())
    assert shadowed.status["shadow_predictions"] == 2 * len(ROWS)


def test_swaps_under_load_fail_no_request(server: Server) -> None:
    """Ten swaps of champion and shadow while two callers never stop."""
    stop = threading.Event()
    failures: list[str] = []
    seen: list[set[tuple[str, str | None]]] = [set(), set()]
    calls = [0, 0]

    def call(caller: int) -> None:
        client = server.client()
        while not stop.is_set():
            try:
                prediction = client.predict(ROWS, SCHEMA, 1)
                assert prediction is not None
                # The scores are those of the version that signs for them.
                bias = 0.0 if prediction.version == "v1" else 1.0
                np.testing.assert_allclose(prediction.scores, expected(ROWS, bias), rtol=1e-5)
                seen[caller].add((prediction.version, prediction.shadow_version))
            except Exception as error:
                failures.append(repr(error))
            calls[caller] += 1
        client.close()

    threads = [threading.Thread(target=call, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for swap in range(10):
        pair = ("v2", "v1") if swap % 2 == 0 else ("v1", None)
        server.wait_for_generation(server.serve(*pair))
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert min(calls) > 50
    assert seen[0] == {("v1", None), ("v2", "v1")}
    assert server.status["failed_predictions"] == 0


def test_a_broken_version_is_refused(server: Server, client: KServeClient) -> None:
    server.add("v3", b"no onnx at all")
    server.wait_for_generation(server.serve("v3"))
    status = server.status
    assert status["champion"] == "v1"
    assert "model.onnx of v3 is refused" in status["error"]
    prediction = client.predict(ROWS, SCHEMA, 1)
    assert prediction is not None
    assert prediction.version == "v1"
    assert "driftloop_serving_error 1.0" in server.get("/metrics").body.decode()
    server.wait_for_generation(server.serve("v1"))
    assert server.status["error"] is None


def test_metrics_tell_who_answers(shadowed: Server, client: KServeClient) -> None:
    client.predict(ROWS, SCHEMA, 1)
    shadowed.get("/v2/models/fraud/status", token="wrong")
    ports = shadowed.settings.ports
    for port in (ports.rest, ports.metrics["model-server"]):
        text = shadowed.get("/metrics", port=port, token=None).body.decode()
        assert 'driftloop_model_loaded_info{role="champion",version="v1"} 1.0' in text
        assert 'driftloop_model_loaded_info{role="shadow",version="v2"} 1.0' in text
        assert f"driftloop_serving_generation {float(shadowed.store.serving().generation)}" in text
        for name in (
            'predictions_total{role="shadow",version="v2"}',
            'predict_seconds_count{version="v1"}',
            'shadow_predictions{version="v2"} 8.0',
            'rejected_requests_total{reason="not_authorized"}',
        ):
            assert f"driftloop_{name}" in text


def test_it_listens_on_loopback_only(server: Server) -> None:
    assert server.process is not None
    ports = server.settings.ports
    mine = {ports.rest, ports.grpc, ports.metrics["model-server"]}
    found = {}
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/{server.process.pid}/net/{name}").read_text().splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            host, port = address.split(":")
            if state == "0A" and int(port, 16) in mine:
                found[int(port, 16)] = host
    # 127.0.0.1 as the kernel writes it, in IPv4 and mapped into IPv6.
    assert set(found) == mine
    assert set(found.values()) <= {"0100007F", "0000000000000000FFFF00000100007F"}


@pytest.mark.parametrize("taken", ["rest", "grpc", "metrics"])
def test_a_taken_port_ends_the_server_with_a_reason(tmp_path: Path, taken: str) -> None:
    server = Server(tmp_path / "platform")
    ports = server.settings.ports
    port = {"rest": ports.rest, "grpc": ports.grpc, "metrics": ports.metrics["model-server"]}[taken]
    with socket.create_server(("127.0.0.1", port)):
        environment = {**os.environ, "DRIFTLOOP_DIR": str(server.folder)}
        done = subprocess.run([sys.executable, "-c", MAIN], env=environment, capture_output=True, timeout=30, check=False)
    assert done.returncode == 1
    assert f"127.0.0.1:{port} cannot be bound" in done.stderr.decode().splitlines()[-1]
