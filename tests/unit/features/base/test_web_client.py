"""URLs of this host go straight, whatever proxy the environment names; those of others as it says. Real servers on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.error import HTTPError, URLError

import pytest

from features.base.web_client import java_proxies, on_this_host, open_url, proxy_for, read_url, why

#: The discard port: nobody listens there.
NOBODY = "http://127.0.0.1:9"
VARIABLES = [name for word in ("http", "https", "all", "no") for name in (f"{word}_proxy", f"{word.upper()}_PROXY")]


class Answering(BaseHTTPRequestHandler):
    """Answers with the path that it was asked for; 503 for /sick."""

    def do_GET(self) -> None:
        body = self.path.encode()
        self.send_response(503 if self.path == "/sick" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])) + self.headers.get("X-Own", "").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def company(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES[:6]:
        monkeypatch.setenv(name, NOBODY)


@pytest.mark.usefixtures("company")
def test_loopback_never_goes_through_a_proxy(port: int) -> None:
    assert read_url(f"http://127.0.0.1:{port}/here", 5) == b"/here"
    assert read_url(f"http://localhost:{port}/here", 5) == b"/here"
    with open_url(f"http://127.0.0.1:{port}/", 5, {"X-Own": "!"}, b"posted") as answer:
        assert answer.read() == b"posted!"
    with pytest.raises(HTTPError, match="503"):
        read_url(f"http://127.0.0.1:{port}/sick", 5)


@pytest.mark.usefixtures("company")
def test_a_server_elsewhere_is_asked_as_the_environment_says(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(URLError) as refused:
        read_url("http://model.example:8080/healthz", 5)
    assert why(refused.value) == "nobody listens there"
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    assert read_url("http://model.example:8080/healthz", 5) == b"http://model.example:8080/healthz"
    assert proxy_for("http://10.1.2.3/x") == f"http://127.0.0.1:{port}"
    assert proxy_for("https://model.example") == NOBODY
    monkeypatch.setenv("no_proxy", "model.example,10.1.2.3")
    assert proxy_for("https://model.example") is proxy_for("http://10.1.2.3/x") is None


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("localhost", True),
        ("::1", True),
        ("192.0.2.1", False),
        ("model.example", False),
        ("", False),
        ("a" * 300, False),
    ],
)
def test_which_host_is_this_one(host: str, own: bool) -> None:
    assert on_this_host(host) is own


def test_java_is_told_of_the_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    assert java_proxies() == []
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "localhost, .corp.example")
    assert java_proxies() == [
        "-Dhttps.proxyHost=proxy.example",
        "-Dhttps.proxyPort=3128",
        "-Dhttp.nonProxyHosts=localhost|*.localhost|corp.example|*.corp.example",
    ]
