"""What answers of a registry mean. The answers of a real one: tests/integration/test_registry.py."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from features.base.schema_registry import SchemaRegistry
from features.base.settings import Settings, SettingsError
from streams.wire.errors import RegistryAway, UnknownSchema
from streams.wire.registry import Registry


class Answers(ThreadingHTTPServer):
    """Answers each request with ``answer`` (status, headers, body), and keeps what the request's headers were."""

    daemon_threads = True
    answer: tuple[int, dict[str, str], bytes] = (200, {}, b"")

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.headers: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Answers

    def do_GET(self) -> None:
        self.server.headers.append(dict(self.headers))
        status, headers, body = self.server.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Answers]:
    answers = Answers()
    thread = threading.Thread(target=answers.serve_forever)
    thread.start()
    yield answers
    answers.shutdown()
    thread.join()
    answers.server_close()


def registry(server: Answers, folder: Path = Path("/nowhere"), **own: Any) -> Registry:
    return Registry(Settings(dir=folder, schema_registry=SchemaRegistry(url=server.url, timeout_s=20, **own)))


@pytest.mark.parametrize("status", [401, 407, 408, 429, 500, 502, 503, 302, 307])
def test_what_says_nothing_of_the_schema_is_waited_for(server: Answers, status: int) -> None:
    server.answer = (status, {"Location": "http://127.0.0.1:9/"}, b"<html>no</html>")
    with pytest.raises(RegistryAway, match=str(status)):
        registry(server).fetch(1)


def test_another_servers_404_is_no_answer_of_a_registry(server: Answers) -> None:
    """The path of the API was forgotten, say: no schema is unknown by that."""
    for body in (b"", b"<html>no</html>", b'{"message": "Not Found"}'):
        server.answer = (404, {}, body)
        with pytest.raises(RegistryAway, match=r"see the path in schema_registry\.url"):
            registry(server).fetch(1)


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_a_no_is_of_the_schema_and_says_the_reason(server: Answers, status: int) -> None:
    server.answer = (status, {}, b'{"error_code": 40403, "message": "Schema 1 not found"}')
    with pytest.raises(UnknownSchema, match="schema 1: Schema 1 not found"):
        registry(server).fetch(1)
    if status != 404:
        server.answer = (status, {}, b"")
        with pytest.raises(UnknownSchema, match=f"HTTP {status}"):
            registry(server).fetch(1)


def test_what_is_no_registry_is_said(server: Answers) -> None:
    server.answer = (200, {}, b"<html>hello</html>")
    with pytest.raises(RegistryAway, match="no schema registry"):
        registry(server).fetch(1)
    server.answer = (200, {}, b'{"schemaType": "THRIFT", "schema": "x"}')
    with pytest.raises(UnknownSchema, match="'THRIFT'"):
        registry(server).fetch(1)


def test_secrets_come_from_files_and_the_environment(server: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answer = (200, {}, b'{"schema": "x"}')
    (tmp_path / "pass").write_text("open sesame\n")
    monkeypatch.setenv("A_TOKEN", "t0ken")
    registry(server, tmp_path, user="ali", password="file:pass").fetch(1)
    registry(server, tmp_path, token="env:A_TOKEN").fetch(1)
    assert [headers["Authorization"] for headers in server.headers] == ["Basic YWxpOm9wZW4gc2VzYW1l", "Bearer t0ken"]
    with pytest.raises(SettingsError, match=r"schema_registry\.password: .*none cannot be read"):
        registry(server, tmp_path, user="ali", password="file:none")
    with pytest.raises(SettingsError, match=r"schema_registry\.token is env:NO_TOKEN"):
        registry(server, tmp_path, token="env:NO_TOKEN")
    with pytest.raises(SettingsError, match=r"schema_registry\.ca: .*ca\.pem"):
        Registry(Settings(dir=tmp_path, schema_registry=SchemaRegistry(url="https://registry", ca="ca.pem")))


def test_a_registry_of_this_host_is_asked_without_a_proxy(server: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.answer = (200, {}, b'{"schema": "x"}')
    assert registry(server).fetch(1).type == "AVRO"


@pytest.mark.parametrize(
    ("own", "names"),
    [
        ({"url": "registry:8081"}, "schema_registry.url must be"),
        ({"url": "ftp://registry"}, "schema_registry.url must be"),
        ({"url": "http://registry:x"}, "schema_registry.url is no URL"),
        ({"url": "http://user:pw@registry"}, "schema_registry.user"),
        ({"url": "https://registry", "user": "a"}, "go together"),
        ({"url": "https://registry", "user": "a", "password": "b", "token": "c"}, "keep one"),
        ({"url": "http://registry", "user": "a", "password": "b"}, "password would cross the network in clear text"),
        ({"url": "http://registry", "token": "b"}, "token would cross"),
        ({"url": "http://registry", "ca": "ca.pem"}, "https://"),
        ({"user": "a", "password": "b"}, "schema_registry.url is empty"),
        ({"url": "http://registry", "timeout_s": 0}, "timeout_s"),
    ],
)
def test_a_wrong_setting_is_named(own: dict[str, Any], names: str) -> None:
    with pytest.raises(ValidationError) as raised:
        SchemaRegistry(**own)
    assert names in str(raised.value)
