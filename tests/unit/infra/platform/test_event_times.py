"""Event times from the metrics pages of processes, real ones over HTTP."""

from __future__ import annotations

import socketserver
import threading

from prometheus_client import CollectorRegistry, Gauge

from features.base.sections import Ports
from features.base.settings import Settings
from infra.platform.event_times import event_times
from streams.engine.health_page import serve


def test_each_processor_is_compared_with_the_one_that_has_come_farthest() -> None:
    registry = CollectorRegistry()
    gauge = Gauge("driftloop_event_time_seconds", "a test", ["processor"], registry=registry)
    gauge.labels("scorer").set(1_767_600_000.5)
    gauge.labels("archive").set(1_767_599_990.5)
    gauge.labels("label-joiner")
    page = serve(0, list, registry)
    try:
        settings = Settings(ports=Ports(metrics={"one": page.server_address[1], "away": 1, "none": 0}))
        silent: list[str] = []
        assert event_times(settings, silent=silent) == {
            "archive": {"newest_ms": 1_767_599_990_500, "behind_s": 10.0},
            "scorer": {"newest_ms": 1_767_600_000_500, "behind_s": 0.0},
        }
        # That nobody answers does not mean that nothing was seen.
        (line,) = silent
        assert line == "away does not say how far it is in event time, at http://127.0.0.1:1/metrics: nobody listens there"
        assert event_times(settings, processes=["one"], silent=silent) == event_times(settings)
        assert silent == [line]
        behind = {name: seen["behind_s"] for name, seen in event_times(settings, 1_767_600_030_500).items()}
        assert behind == {"archive": 40.0, "scorer": 30.0}
        # A payment that was published late does not turn time back.
        assert event_times(settings, 1_767_500_000_000) == event_times(settings)
    finally:
        page.shutdown()
        page.server_close()


def test_what_answers_no_http_is_left_out_and_said() -> None:
    class Speechless(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1000)
            self.request.sendall(b"what?\r\n")

    with socketserver.TCPServer(("127.0.0.1", 0), Speechless) as server:
        threading.Thread(target=server.handle_request).start()
        silent: list[str] = []
        assert event_times(Settings(ports=Ports(metrics={"one": server.server_address[1]})), silent=silent) == {}
        assert "one does not say how far it is in event time" in silent[0]
