"""The model server as a process: from its start without a model to SIGTERM, and the ports it takes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from features.catalogue.vector import SCHEMA
from serving.rollout import transitions
from tests.integration.serving.process import MAIN, ROWS, TOKEN, Server, free_ports, v2_body, wait_for
from tests.unit.serving.tiny_models import onnx_bytes

pytestmark = pytest.mark.integration


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
        document = transitions.on_registered(server.store.serving(), "v1", 1000)
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


def test_it_listens_on_loopback_only(server: Server) -> None:
    assert server.process is not None
    ports = server.settings.ports
    mine = {ports.rest, ports.grpc, ports.metrics["model-server"]}
    hosts = {}
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/{server.process.pid}/net/{name}").read_text().splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            host, port = address.split(":")
            if state == "0A" and int(port, 16) in mine:
                hosts[int(port, 16)] = host
    # 127.0.0.1 as the kernel writes it, in IPv4 and mapped into IPv6.
    assert set(hosts) == mine
    assert set(hosts.values()) <= {"0100007F", "0000000000000000FFFF00000100007F"}


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
