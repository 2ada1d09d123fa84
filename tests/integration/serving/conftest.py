"""One model server for the folder, with tiny ONNX models."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from features.base.settings import Settings
from serving.client.client import KServeClient
from tests.integration.serving.process import Server
from tests.unit.serving.tiny_models import onnx_bytes


@pytest.fixture(scope="package")
def server(platform: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the folder, with v1 as champion and v2 at hand; each test leaves v1 alone as champion."""
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
