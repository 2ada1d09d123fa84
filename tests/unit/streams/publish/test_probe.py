"""What the lockstep hears of control: work in hand, rest, or nothing at all, which is not rest. A real server over HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from features.base.sections import Ports
from features.base.settings import Settings
from streams.publish.lockstep import Lockstep, LockstepError
from streams.publish.probe import control_probe

BUSY = b'{"idle": false, "waiting_for": ["run x is in progress"]}'


@contextmanager
def control(body: bytes, status: int = 200) -> Iterator[Settings]:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Settings(ports=Ports(control=server.server_address[1]))
        server.shutdown()
        thread.join()


@pytest.fixture
def nobody() -> Settings:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return Settings(ports=Ports(control=server.getsockname()[1]))


@pytest.mark.parametrize("proxy", ["", "http://127.0.0.1:9"])
def test_work_in_hand_is_named_whatever_the_proxy(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    with control(BUSY) as settings:
        assert control_probe(settings)() == "control: run x is in progress"
    with control(b'{"idle": false}') as settings:
        assert control_probe(settings)() == "control: busy"
    with control(b'{"idle": true, "waiting_for": []}') as settings:
        assert control_probe(settings)() is None


def test_without_control_there_is_nothing_to_wait_for() -> None:
    assert control_probe(Settings())() is None


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"<html>Access denied</html>", 200, "what is there is not control"),
        (b"\xff\xfe", 200, "what is there is not control"),
        (b"{}", 200, "does not say whether it is idle"),
        (b'{"idle": "yes"}', 200, "does not say whether it is idle"),
        (b"[]", 200, "does not say whether it is idle"),
        (b'{"idle": true}', 503, "503"),
        (b"", 404, "404"),
    ],
)
def test_an_answer_that_does_not_say_it_is_not_taken_for_rest(body: bytes, status: int, reason: str) -> None:
    with control(body, status) as settings:
        heard = control_probe(settings)()
        assert heard is not None
        assert reason in heard
        assert settings.control_url in heard


def test_no_answer_is_waited_for_and_said_in_the_end(nobody: Settings) -> None:
    probe = control_probe(nobody)
    assert probe() == f"control does not answer at {nobody.control_url}: nobody listens there"
    with (
        Lockstep(nobody, {}, [probe], timeout_s=0.2) as lockstep,
        pytest.raises(LockstepError, match=r"no progress for 0 s: control does not answer at http://127\.0\.0\.1:\d+/status"),
    ):
        lockstep.wait()
