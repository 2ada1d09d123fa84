"""The small HTTP face of a process: ``/metrics`` for Prometheus and ``/healthz`` for whoever restarts it."""

from __future__ import annotations

import errno
import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from features.base.network import LOOPBACK
from features.base.settings import SettingsError

#: Returns what is wrong, in words; an empty list means healthy.
Health = Callable[[], list[str]]


def serve(port: int, health: Health, registry: CollectorRegistry = REGISTRY, host: str = LOOPBACK) -> ThreadingHTTPServer:
    """Serve in a daemon thread until ``shutdown()`` is called on what is returned. Port 0 picks a free one.

    Raises OSError where the port is taken, SettingsError where ``host`` is no address of this host.

    ``/healthz`` answers 200, or 503 with ``{"reasons": [...]}``.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            if path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
            elif path == "/healthz":
                reasons = health()
                body = json.dumps({"status": "stuck" if reasons else "ok", "reasons": reasons}).encode()
                self._answer(503 if reasons else 200, "application/json", body)
            else:
                self._answer(404, "text/plain", b"there are /metrics and /healthz\n")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: scrapes come every few seconds and are not news."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL and not isinstance(error, socket.gaierror):
            raise
        raise SettingsError(
            f"network.bind.metrics is {host}, which is no address of this host ({error.strerror}); set it to one that is"
        ) from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server
