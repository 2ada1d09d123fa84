"""Nobody opens a URL but by features/base/web_client.py, which knows what must not go through a proxy."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("features", "streams", "serving", "retrain", "infra", "dashboards", "benchmarks", "tests")
HOME = "features/base/web_client.py"
WAY_OUT = f"use {HOME}"
#: Libraries that read ``http_proxy``, by what imports them.
READERS = ("urllib.request", "requests", "httpx", "urllib3", "websockets", "websocket")
#: Who may, and why its requests go straight all the same.
ALLOWED = {
    # session.trust_env = False
    "benchmarks/streams/peers/by_quix.py": {"requests"},
}
#: Calls that go straight unless they are told of the environment, and what would tell them.
STRAIGHT = {"ClientSession": "trust_env"}
CHANNELS = ("insecure_channel", "secure_channel")


def problems(source: str, name: str = "") -> Iterator[str]:
    """Yield what opens URLs by another way, a line each."""
    for node in ast.walk(ast.parse(source)):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for reader in READERS:
            wanted = any(module == reader or module.startswith(f"{reader}.") for module in modules)
            if wanted and reader not in ALLOWED.get(name, set()):
                yield f"{name}:{getattr(node, 'lineno', 0)}: imports {reader}, which goes through http_proxy; {WAY_OUT}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            given = {keyword.arg for keyword in node.keywords}
            if node.func.attr in STRAIGHT and STRAIGHT[node.func.attr] in given:
                yield f"{name}:{node.lineno}: {node.func.attr} with {STRAIGHT[node.func.attr]}; give each request proxy_for(url)"
            if node.func.attr in CHANNELS and "options" not in given:
                yield f"{name}:{node.lineno}: a gRPC channel without options takes http_proxy; see serving/client/client.py"


def sources() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", *ROOMS], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name.endswith(".py") and (ROOT / name).is_file()]


def test_nobody_opens_a_url_by_another_way() -> None:
    names = {str(path.relative_to(ROOT)): path for path in sources()}
    lines = [line for name, path in names.items() if name != HOME for line in problems(path.read_text("utf-8"), name)]
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize(
    "source",
    [
        "import urllib.request",
        "from urllib import request",
        "from urllib.request import urlopen",
        "import requests",
        "def late():\n    import httpx",
        "aiohttp.ClientSession(trust_env=True)",
        "grpc.insecure_channel('127.0.0.1:1')",
    ],
)
def test_another_way_is_seen(source: str) -> None:
    assert list(problems(source))


def test_what_goes_straight_is_let_be() -> None:
    source = "import urllib.parse, http.client\nfrom urllib.error import URLError\naiohttp.ClientSession(timeout=1)"
    assert not list(problems(source))
