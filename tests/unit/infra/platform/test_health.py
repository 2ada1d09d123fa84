from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from infra.platform.health import HEALTHY, http_health, redis


@contextmanager
def _answering(answer: bytes) -> Iterator[int]:
    """A server on a free port that answers one connection with these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert http_health(port, 1) == redis(port, 1) == "does not listen yet"


def test_http_health_is_200_or_the_reasons() -> None:
    with _answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as port:
        assert http_health(port, 1) == HEALTHY
    with _answering(b'HTTP/1.1 503 No\r\nContent-Length: 18\r\n\r\n{"kafka":  "gone"}') as port:
        assert http_health(port, 1) == '/healthz says 503: {"kafka": "gone"}'


def test_redis_is_healthy_once_it_has_loaded_its_data() -> None:
    with _answering(b"+PONG\r\n") as port:
        assert redis(port, 1) == HEALTHY
    with _answering(b"-LOADING Redis is loading the dataset in memory\r\n") as port:
        assert redis(port, 1).startswith("answered '-LOADING")
