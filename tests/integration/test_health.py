"""/healthz of a processor turns red where it does not get on, says why, and turns green again."""

from __future__ import annotations

import json
import re
import urllib.error
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from features.base.settings import Settings
from features.base.web_client import open_url
from features.domains.card_fraud.event import Payment
from features.online.cached_reader import Reader
from features.online.store import ProfileReader
from serving.client.client import KServeClient
from streams.engine import metrics
from streams.engine import shell as shells
from streams.engine.codec import encode
from streams.engine.health_page import serve
from streams.engine.shell import Shell
from streams.kafka.create_topics import create
from streams.scoring.scorer import Scorer
from streams.topics import Topic
from tests.counting import Held
from tests.integration.counting import read, running, send, wait_for
from tests.integration.scoring_child import Elsewhere
from tests.integration.serving.process import TOKEN, Server
from tests.unit.streams.records import T0

pytestmark = pytest.mark.integration

Page = Callable[[], tuple[int, list[str]]]
GREEN: tuple[int, list[str]] = (200, [])


@pytest.fixture(autouse=True)
def stuck_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shells, "STUCK_S", 1.0)


@pytest.fixture
def pair(platform: Settings) -> tuple[str, str]:
    """Two fresh topics with two partitions."""
    name = uuid.uuid4().hex[:8]
    create(platform, [Topic(f"in-{name}", 2), Topic(f"out-{name}", 2)])
    return f"in-{name}", f"out-{name}"


@contextmanager
def page_of(shell: Shell) -> Iterator[Page]:
    """Asks the real page for its status and reasons."""
    server = serve(0, shell.health)

    def ask() -> tuple[int, list[str]]:
        try:
            with open_url(f"http://127.0.0.1:{server.server_address[1]}/healthz", 10) as reply:
                return reply.status, json.load(reply)["reasons"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)["reasons"]

    try:
        yield ask
    finally:
        server.shutdown()
        server.server_close()


def says(page: Page, reason: str) -> bool:
    """Whether it is red for this reason alone."""
    status, reasons = page()
    return status == 503 and len(reasons) == 1 and re.fullmatch(reason, reasons[0]) is not None


def test_a_core_that_does_not_come_back_turns_it_red(platform: Settings, pair: tuple[str, str]) -> None:
    source, target = pair
    core = Held(source, target)
    shell = Shell(platform, core)
    with page_of(shell) as page, running(shell):
        wait_for(lambda: page() == GREEN)
        send(platform, source, [b"v"])
        assert core.taken.wait(30)
        try:
            wait_for(lambda: says(page, rf"{core.name}: no turn of the loop for \d+ s"))
        finally:
            core.go_on.set()
        wait_for(lambda: page() == GREEN)


def test_a_stream_that_waits_for_its_model_server_turns_it_red(platform: Settings, pair: tuple[str, str], tmp_path: Path) -> None:
    source, target = pair
    server = Server(tmp_path / "server", platform.ports.redis)
    client = KServeClient(server.settings.grpc_address, server.settings.model, TOKEN)
    scorer = Scorer(platform, client, Reader(ProfileReader(platform), platform.feast))
    core = Elsewhere(scorer, source, target, seed=1)
    shell = Shell(platform, core)
    waiting = metrics.WAITING.labels(core.name)
    events = [Payment(f"{source}-{i}", T0 + i, f"c{i}", "t", 100) for i in range(20)]
    try:
        with page_of(shell) as page, running(shell):
            wait_for(lambda: page() == GREEN)
            send(platform, source, [encode(event) for event in events])
            # It goes on polling meanwhile: that the loop does not turn is not among the reasons.
            wait_for(lambda: says(page, rf"{core.name}: the stream has waited for \d+ s for something that is away"))
            assert waiting._value.get() == 1
            assert read(platform, target) == []
            server.start()
            wait_for(lambda: page() == GREEN)
            wait_for(lambda: len(read(platform, target)) == len(events))
            assert waiting._value.get() == 0
        assert server.stop() == 0
    finally:
        server.kill()
        client.close()
