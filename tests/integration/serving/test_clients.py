"""What stock clients send by default is answered, or refused in one sentence: each row of ``tests.stock_clients``."""

from __future__ import annotations

import gzip
import http.client
import inspect
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.integration.serving.process import MANY_ROWS, ROWS, TOKEN, Server, v2_body
from tests.stock_clients import ROWS as TABLE
from tests.unit.serving.tiny_models import WIDTH, expected

pytestmark = pytest.mark.integration

BODY = json.dumps(v2_body()).encode()
V1_BODY = json.dumps({"instances": ROWS.tolist()}).encode()
INFER = "/v2/models/fraud/infer"
PREDICT = "/v1/models/fraud:predict"
BEARER = f"Authorization: Bearer {TOKEN}"
#: What the clients send, but for the body; of Java and Node byte by byte as they sent it.
JAVA = (
    "Connection: Upgrade, HTTP2-Settings\r\nHost: 127.0.0.1\r\n"
    "HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\n"
    f"Upgrade: h2c\r\nUser-Agent: Java-http-client/17.0.15\r\n{BEARER}"
)
NODE = f"host: 127.0.0.1\r\nconnection: keep-alive\r\ncontent-type: text/plain;charset=UTF-8\r\naccept: */*\r\n{BEARER}"
DOTNET = f"Host: 127.0.0.1\r\nContent-Type: text/plain; charset=utf-8\r\n{BEARER}"
BARE = f"Host: 127.0.0.1\r\n{BEARER}"


class Calls(dict[str, Any]):
    """What a module of calls printed: for each call what it gave."""

    def refused(self, name: str, words: str) -> None:
        """Check that the call was refused with these words."""
        assert words in self[name]["refused"], self[name]


def calls(server: Server, module: str) -> Any:
    ports = server.settings.ports
    command = [sys.executable, "-W", "default", "-m", f"tests.integration.serving.{module}"]
    addresses = [f"127.0.0.1:{ports.rest}", f"127.0.0.1:{ports.grpc}", TOKEN]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))}
    done = subprocess.run([*command, *addresses], capture_output=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def kserve(server: Server) -> Calls:
    return Calls(calls(server, "kserve_calls"))


@pytest.fixture(scope="module")
def triton(server: Server) -> dict[str, Calls]:
    return {side: Calls(made) for side, made in calls(server, "triton_calls").items()}


def curl(server: Server, path: str, *arguments: str, stdin: bytes = b"", token: bool = True) -> tuple[int, bytes]:
    """Return the status and all that curl wrote; ``-D -`` puts heads before the body."""
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine; .ci/packages installs it")
    url = f"http://127.0.0.1:{server.settings.ports.rest}{path}"
    bearer = ["-H", BEARER] if token else []
    command = ["curl", "-s", "--noproxy", "*", "-m", "20", "-w", "\n%{http_code}", *bearer, *arguments, url]
    done = subprocess.run(command, input=stdin, capture_output=True, check=True, timeout=30)
    text, _, status = done.stdout.rpartition(b"\n")
    return int(status), text


def exchange(server: Server, *requests: bytes) -> list[tuple[int, bytes]]:
    """Send the requests one after the other on one connection, each answered before the next; return statuses and bodies."""
    answers = []
    with socket.create_connection(("127.0.0.1", server.settings.ports.rest), timeout=20) as connection:
        for request in requests:
            head, _, body = request.partition(b"\r\n\r\n")
            # Clients send head and body as packets of their own.
            connection.sendall(head + b"\r\n\r\n")
            connection.sendall(body)
            response = http.client.HTTPResponse(connection)
            response.begin()
            answers.append((response.status, response.read()))
    return answers


def post(path: str, head: str, body: bytes) -> bytes:
    return f"POST {path} HTTP/1.1\r\n{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def scored(body: bytes, rows: Any = ROWS) -> None:
    """Check that a body of V1 or V2 holds the scores of ``rows``."""
    answer = json.loads(body)
    scores = answer["predictions"] if "predictions" in answer else answer["outputs"][0]["data"]
    np.testing.assert_allclose(scores, expected(rows), rtol=1e-5)


def curl_form(server: Server) -> None:
    for arguments in (["-d", "@-"], ["-d", "@-", "-H", "Content-Type:"], ["-d", "@-", "-H", "Content-Type: application/json"]):
        status, body = curl(server, INFER, *arguments, stdin=BODY)
        assert status == 200, body
        scored(body)


def curl_packed(server: Server) -> None:
    many = json.dumps(v2_body(shape=list(MANY_ROWS.shape), data=MANY_ROWS.ravel().tolist())).encode()
    packed = ["--compressed", "-H", "Content-Encoding: gzip", "--data-binary", "@-"]
    status, text = curl(server, INFER, *packed, "-D", "-", stdin=gzip.compress(many))
    head, _, body = text.partition(b"\r\n\r\n")
    assert status == 200, text
    # curl likes deflate as much as gzip.
    assert b"content-encoding: gzip" in head
    scored(body, MANY_ROWS)
    status, text = curl(server, INFER, "-H", "Content-Encoding: br", "-d", "@-", "-D", "-", stdin=BODY)
    assert status == 415
    assert b"accept-encoding: gzip, deflate" in text
    assert b"send the body plain, or packed with gzip or deflate" in text
    assert curl(server, INFER, "-H", "Content-Encoding: gzip", "-d", "@-", stdin=BODY)[0] == 400
    bomb = gzip.compress(b" " * (65 * 1024 * 1024))
    assert curl(server, INFER, "-H", "Content-Encoding: gzip", "--data-binary", "@-", stdin=bomb)[0] == 413


def curl_expect(server: Server) -> None:
    arguments = ["-D", "-", "--data-binary", "@-", "-H", "Expect: 100-continue"]
    status, text = curl(server, INFER, *arguments, stdin=BODY + b" " * 2_000_000)
    assert status == 200
    assert text.startswith(b"HTTP/1.1 100 Continue")
    scored(text.split(b"\r\n\r\n")[-1])
    for token, size, refusal in ((False, 2_000_000, 401), (True, 65 * 1024 * 1024, 413)):
        status, text = curl(server, INFER, *arguments, stdin=b" " * size, token=token)
        assert status == refusal
        assert b"100 Continue" not in text


def curl_head(server: Server) -> None:
    for path in (
        "/",
        "/healthz",
        "/metrics",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/fraud/ready",
        "/v1/models/fraud",
    ):
        status, head = curl(server, path, "-I", token=False)
        assert status == 200, path
        assert b"content-type" in head
    page = server.call("HEAD", "/healthz", None, {}, server.settings.ports.metrics["model-server"], None)
    assert (page.status, page.body) == (200, b"")


def curl_http2(server: Server) -> None:
    status, body = curl(server, INFER, "--http2", "-d", "@-", stdin=BODY)
    assert status == 200, body
    scored(body)


def curl_multipart(server: Server) -> None:
    status, body = curl(server, INFER, "-F", "x=@-", stdin=BODY)
    assert status == 400
    assert b"the body is not JSON" in body


def java(server: Server) -> None:
    for status, body in exchange(server, post(INFER, JAVA, BODY), post(PREDICT, JAVA, V1_BODY), post(INFER, JAVA, BODY)):
        assert status == 200, body
        scored(body)
    assert exchange(server, f"GET /v2/models/fraud HTTP/1.1\r\n{JAVA}\r\n\r\n".encode())[0][0] == 200


def node(server: Server) -> None:
    for status, body in exchange(server, post(INFER, NODE, BODY), post(INFER, NODE, BODY)):
        assert status == 200, body
        scored(body)


def python(server: Server) -> None:
    import httpx

    with httpx.Client(base_url=f"http://127.0.0.1:{server.settings.ports.rest}/", trust_env=False) as client:
        for _ in range(2):
            answer = client.post(INFER, json=v2_body(), headers={"Authorization": f"Bearer {TOKEN}"})
            assert answer.status_code == 200, answer.text
            scored(answer.content)
    # A base address that ends with a slash, and a path that does.
    answered = server.post(f"/{INFER}/", v2_body())
    assert answered.status == 200, answered.body


def http_client(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.settings.ports.rest, timeout=20)
    for body in (BODY, iter([BODY[:50], BODY[50:]])):
        connection.request("POST", INFER, body, {"Authorization": f"Bearer {TOKEN}"}, encode_chunked=not isinstance(body, bytes))
        answer = connection.getresponse()
        assert answer.status == 200
        scored(answer.read())
    connection.close()


def windows(server: Server) -> None:
    text = BODY.decode()
    for body in (BODY, text.encode("utf-8-sig"), text.encode("utf-16")):
        ((status, answer),) = exchange(server, post(INFER, DOTNET, body))
        assert status == 200, answer
        scored(answer)


def v1_plain(server: Server) -> None:
    form = f"{BARE}\r\nContent-Type: application/x-www-form-urlencoded"
    with_charset = f"{BARE}\r\nContent-Type: application/json; charset=utf-8"
    requests = [post(PREDICT, head, V1_BODY) for head in (BARE, form, with_charset, JAVA, NODE, DOTNET)]
    for status, body in exchange(server, *requests):
        assert status == 200, body
        scored(body)


def mlserver(server: Server) -> None:
    parameters = {"content_type": "np", "headers": None}
    tensor = {
        "name": "features",
        "shape": list(ROWS.shape),
        "datatype": "FP32",
        "parameters": parameters,
        "data": ROWS.ravel().tolist(),
    }
    body = {"id": "a-request", "parameters": {"content_type": None, "headers": None}, "inputs": [tensor], "outputs": None}
    answer = server.post(INFER, body)
    assert answer.status == 200, answer.body
    assert answer.json["id"] == "a-request"
    scored(answer.body)
    assert server.post(INFER, body | {"id": None}).status == 200


def cloudevents(server: Server) -> None:
    event = {"specversion": "1.0", "type": "t", "source": "s", "id": "1"}
    binary = server.call("POST", PREDICT, V1_BODY, {f"ce-{name}": value for name, value in event.items()}, None, TOKEN)
    assert binary.status == 200, binary.body
    scored(binary.body)
    whole = event | {"time": "2026-01-01T00:00:00Z", "data": {"instances": ROWS.tolist()}}
    for kind in ("application/cloudevents+json", "application/cloudevents+json; charset=utf-8"):
        answer = server.post(PREDICT, whole, content_type=kind)
        assert answer.headers["content-type"] == "application/cloudevents+json"
        scored(json.dumps(answer.json["data"]).encode())


def kserve_v1(kserve: Calls) -> None:
    assert kserve["no_token_v1_live"] is True
    assert kserve["no_token_v1_model_ready"] is True
    np.testing.assert_allclose(kserve["v1_infer"], expected(MANY_ROWS), rtol=1e-5)
    kserve.refused("no_token_v1_infer", "send the header 'Authorization: Bearer <token>'")


def kserve_v2(kserve: Calls) -> None:
    assert [kserve[f"no_token_v2_{name}"] for name in ("live", "ready", "model_ready")] == [True, True, True]
    for name in ("v2_json", "v2_raw"):
        np.testing.assert_allclose(kserve[name], expected(MANY_ROWS), rtol=1e-5)
    kserve.refused("v2_other_model", "there is no model 'other'; this server serves 'fraud'")


def kserve_grpc(kserve: Calls) -> None:
    assert [kserve[f"no_token_grpc_{name}"] for name in ("live", "ready", "model_ready")] == [True, True, True]
    for name in ("grpc_raw", "grpc_list"):
        np.testing.assert_allclose(kserve[name], expected(MANY_ROWS), rtol=1e-5)
    kserve.refused("no_token_grpc_infer", "UNAUTHENTICATED")


def described(calls: Calls, shape: list[Any], scores: list[Any]) -> None:
    """Check what a client of Triton asks before it infers."""
    assert [calls[name] for name in ("live", "ready", "model_ready", "version_ready")] == [True] * 4
    assert (calls["server"]["name"], calls["server"]["extensions"]) == ("driftloop", ["binary_tensor_data", "parameters"])
    assert calls["model"] == {
        "name": "fraud",
        "versions": ["v1"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "features", "datatype": "FP32", "shape": shape}],
        "outputs": [{"name": "score", "datatype": "FP32", "shape": scores}],
    }
    calls.refused("other_model", "there is no model 'other'")


def triton_http(triton: dict[str, Calls]) -> None:
    calls = triton["http"]
    described(calls, [-1, WIDTH], [-1])
    assert calls["index"] == [{"name": "fraud", "version": "v1", "state": "READY", "reason": ""}]
    for name in ("binary", "json", "json_score", "all_json"):
        np.testing.assert_allclose(calls[name]["scores"], expected(MANY_ROWS), rtol=1e-5)
    calls.refused("no_token", "401")


def triton_http_packed(triton: dict[str, Calls]) -> None:
    for name in ("gzip", "deflate"):
        np.testing.assert_allclose(triton["http"][name]["scores"], expected(MANY_ROWS), rtol=1e-5)


def triton_http_version(triton: dict[str, Calls]) -> None:
    calls = triton["http"]
    assert (calls["version"]["version"], calls["version"]["id"]) == ("v1", "a-request")
    assert calls["other_version_ready"] is False
    calls.refused("other_version", "404: version '7' does not answer, version v1 answers")


def triton_http_fp64(triton: dict[str, Calls]) -> None:
    triton["http"].refused("fp64", "400: 'features' is FP64; it must be FP32")


def triton_http_more(triton: dict[str, Calls]) -> None:
    for name in ("config", "statistics", "load", "classes"):
        triton["http"].refused(name, "501: ")
    for name in ("log_settings", "shared_memory"):
        triton["http"].refused(name, "is no route of this server")


def triton_grpc(triton: dict[str, Calls]) -> None:
    calls = triton["grpc"]
    described(calls, ["-1", str(WIDTH)], ["-1"])
    for name in ("infer", "gzip", "version"):
        np.testing.assert_allclose(calls[name]["scores"], expected(MANY_ROWS), rtol=1e-5)
    for name, words in {
        "other_version": "NOT_FOUND: version '7'",
        "other_version_ready": "NOT_FOUND",
        "fp64": "INVALID_ARGUMENT: 'features' is FP64",
        "no_token": "UNAUTHENTICATED",
    }.items():
        calls.refused(name, words)


def triton_grpc_more(triton: dict[str, Calls]) -> None:
    for name in ("config", "index", "statistics", "load", "stream"):
        triton["grpc"].refused(name, "UNIMPLEMENTED")


def probes(server: Server) -> None:
    for path in (
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/fraud/ready",
        "/v2/models/fraud/versions/v1/ready",
        "/v1/models/fraud",
    ):
        assert server.get(path, token=None).status == 200
    # A call is no state, whatever its path begins or ends with.
    for path in ("/v1/models", "/v1/models/fraud:predict", "/v2", "/v2/models/fraud", "/v2/models/fraud/infer/ready"):
        assert server.get(path, token=None).status == 401
    head = {"accept": "application/openmetrics-text", "accept-encoding": "gzip"}
    page = server.call("GET", "/metrics", None, head, None, None)
    assert b"driftloop_predictions_total" in gzip.decompress(page.body)


def no_http(server: Server) -> None:
    for garbage in (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\n\r\n",
    ):
        ((status, body),) = exchange(server, garbage)
        assert status == 400
        assert "speak HTTP/1.1" in json.loads(body)["error"]


CHECKS: dict[str, Callable[[Any], None]] = {name: globals()[name] for name in TABLE}


@pytest.mark.parametrize("row", TABLE)
def test_each_client_gets_what_the_table_says(row: str, request: pytest.FixtureRequest) -> None:
    (fixture,) = inspect.signature(CHECKS[row]).parameters
    CHECKS[row](request.getfixturevalue(fixture))
