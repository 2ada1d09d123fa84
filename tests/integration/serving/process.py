"""The real model server as a process, and how a test talks to it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from features.base.settings import Settings, load
from serving.client.client import KServeClient
from serving.store.document import ServingDocument
from serving.store.model_store import ModelStore
from tests.unit.serving.tiny_models import WIDTH, make_manifest, version_folder

TOKEN = "a-token"
ROWS = np.random.default_rng(5).normal(size=(8, WIDTH)).astype(np.float32)
#: So many that their scores are long enough to be packed.
MANY_ROWS = np.random.default_rng(6).normal(size=(300, WIDTH)).astype(np.float32)
MAIN = "from features.base.settings import load; from serving.server.main import main; main(load())"


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
        generation = self.store.serving().generation
        count = 1000 if shadow else 0
        document = ServingDocument(generation=generation + 1, champion=champion, shadow=shadow, shadow_transactions=count)
        return self.store.write_serving(document, generation).generation

    def wait_for_generation(self, generation: int) -> None:
        wait_for(lambda: self.status["generation"] == generation, 10, f"generation {generation} is served")


def v2_body(**changes: object) -> dict[str, object]:
    tensor = {"name": "features", "shape": list(ROWS.shape), "datatype": "FP32", "data": ROWS.ravel().tolist()}
    return {"inputs": [tensor | changes]}
