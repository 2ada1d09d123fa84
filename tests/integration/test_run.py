"""``driftloop run scorer`` as the supervisor runs it: stopped in the middle, beside another one, and where it must not start.

The broker, Redis and the model server are real; nothing is champion, so payments are published unscored.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil
import pytest
from confluent_kafka.admin import AdminClient, NewPartitions

from features.base.events import Score
from features.base.settings import Settings, SettingsError, load
from features.base.web_client import open_url
from features.domains.card_fraud.event import Payment
from infra.platform import leftovers, supervisor
from infra.platform import up_down as local
from infra.platform.processors import built
from streams import topics
from streams.engine.codec import encode
from streams.engine.runner import END_S
from streams.kafka.clients import producer
from streams.kafka.committed import Committed
from streams.kafka.create_topics import create
from streams.kafka.open_transactions import HeldBack
from streams.publish.lockstep import Lockstep
from streams.simulate.card_fraud.options import Options
from tests.integration.counting import committed, wait_for
from tests.served import transactions

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
#: Patience with a process that starts: where nothing is cached yet, its first batch is compiled.
START_S = 120.0
#: Payments, and how many of them the scorer takes at once before it is stopped.
N, BATCH = 6_000, 10


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A platform of these tests' own: the scorer's group and topics must be nobody else's."""
    settings = load(tmp_path_factory.mktemp("run"))
    try:
        yield local.up(settings, only={"kafka", "redis", "model-server"})
    finally:
        local.down(settings)
        assert not leftovers.find(settings)


class Run:
    """The command in a process of its own."""

    def __init__(self, settings: Settings, log: Path, environment: dict[str, str]) -> None:
        self._log = log
        command = [sys.executable, "-m", "infra.cli.main", "--dir", str(settings.dir), "run", "scorer"]
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, stdout=file, stderr=file
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def stop(self) -> float:
        """SIGTERM; returns the seconds until it has ended, in good order."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        took = time.monotonic() - began
        assert code == 0, self.output
        return took


@contextmanager
def running(settings: Settings, log: Path, **environment: str) -> Iterator[Run]:
    run = Run(settings, log, environment)
    try:
        yield run
    finally:
        if run.process.poll() is None:
            run.process.kill()
        run.process.wait(30)


def committed_offsets(settings: Settings) -> dict[int, int]:
    places = [(topics.EVENTS, partition) for partition in range(settings.partitions)]
    with Committed(settings) as reader:
        return {place[1]: commit.offset for place, commit in reader.read({"scorer": places}, 30)["scorer"].items()}


def ids_below(settings: Settings, offsets: dict[int, int]) -> list[str]:
    """Of the payments that are committed."""
    ids = []
    for partition, offset in offsets.items():
        log = committed(settings, topics.EVENTS, (partition,))
        ids += [msgspec.json.decode(value, type=Payment).event_id for _, value in log[:offset]]
    return sorted(ids)


def scored_ids(settings: Settings) -> list[str]:
    log = committed(settings, topics.SCORES, range(settings.partitions))
    return sorted(msgspec.json.decode(value, type=Score).event.event_id for _, value in log)


def answer(port: int, page: str) -> tuple[int, str]:
    """Status and body; 0 where nobody listens yet."""
    try:
        with open_url(f"http://127.0.0.1:{port}/{page}", 5) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def test_sigterm_ends_it_within_five_seconds_and_what_it_took_is_committed(own: Settings, tmp_path: Path) -> None:
    events = transactions(Options(cards=300, terminals=100, seed=6), 25)[:N]
    assert len(events) == N
    sender = producer(own)
    for event in events:
        sender.produce(topics.EVENTS, encode(event), event.subject.encode())
    assert sender.flush(30) == 0

    # Small batches, so that there are many left when the signal comes, and one in hand.
    with running(own, tmp_path / "first", DRIFTLOOP_SCORING__MAX_BATCH=str(BATCH)) as scorer:
        wait_for(lambda: sum(committed_offsets(own).values()) > BATCH, START_S)
        assert scorer.stop() < 5
    assert HeldBack(own, (topics.SCORES, topics.ALERTS, topics.DLQ, "__consumer_offsets")).read() == []
    offsets = committed_offsets(own)
    assert sum(offsets.values()) < N, "the stop came too late to prove anything"
    assert scored_ids(own) == ids_below(own, offsets)

    with running(own, tmp_path / "second") as scorer:
        Lockstep(own, {"scorer": (topics.EVENTS,)}, timeout_s=START_S).wait()
        assert scorer.stop() < 5
    assert sum(committed_offsets(own).values()) == N
    assert scored_ids(own) == sorted(event.event_id for event in events)


def test_a_further_member_starts_beside_the_first_and_says_its_port(own: Settings, tmp_path: Path) -> None:
    port = own.ports.metrics["scorer"]
    with running(own, tmp_path / "first") as first:
        wait_for(lambda: answer(port, "healthz")[0] == 200, START_S)
        with running(own, tmp_path / "second", DRIFTLOOP_INSTANCE="1") as second:
            pattern = rf"port {port} is taken: metrics and health are at (\d+)\n"
            wait_for(lambda: re.search(pattern, second.output) is not None, START_S)
            match = re.search(pattern, second.output)
            assert match is not None
            other = int(match[1])
            assert other != port
            wait_for(lambda: answer(other, "healthz") == (200, '{"status": "ok", "reasons": []}'), START_S)
            half = 'driftloop_partitions{processor="scorer"} 2.0'
            wait_for(lambda: half in answer(port, "metrics")[1] and half in answer(other, "metrics")[1])
            assert answer(port, "healthz")[0] == 200, "the first goes on"

            with running(own, tmp_path / "third") as third:
                assert third.process.wait(START_S) == 2
            assert third.output.startswith(f"driftloop: port {port} of [ports.metrics] is taken")
            assert "DRIFTLOOP_INSTANCE" in third.output
            assert third.output.count("\n") == 1
            assert second.stop() < 5
        assert first.stop() < 5


def test_sigterm_ends_it_though_the_broker_does_not_answer(own: Settings, tmp_path: Path) -> None:
    before = sum(committed_offsets(own).values())
    ids = scored_ids(own)
    events = transactions(Options(cards=300, terminals=100, seed=8), 25)[:N]
    sender = producer(own)
    for event in events:
        sender.produce(topics.EVENTS, encode(event), event.subject.encode())
    assert sender.flush(30) == 0
    broker = psutil.Process(supervisor.processes(own)["kafka"].pid)
    with running(own, tmp_path / "first", DRIFTLOOP_SCORING__MAX_BATCH=str(BATCH)) as scorer:
        wait_for(lambda: sum(committed_offsets(own).values()) > before + BATCH, START_S)
        broker.suspend()
        try:
            time.sleep(1)
            began = time.monotonic()
            scorer.process.send_signal(signal.SIGTERM)
            assert scorer.process.wait(30) in (0, 1)
            assert time.monotonic() - began < END_S + 4, scorer.output
        finally:
            broker.resume()
    with running(own, tmp_path / "second"):
        Lockstep(own, {"scorer": (topics.EVENTS,)}, timeout_s=START_S).wait()
    assert scored_ids(own) == sorted([*ids, *(event.event_id for event in events)])


def test_added_partitions_end_a_running_scorer_and_let_none_start(own: Settings, tmp_path: Path) -> None:
    """The last one here: the topic stays as it is then."""
    eager = own.model_copy(update={"kafka": {**own.kafka, "topic.metadata.refresh.interval.ms": "200"}})
    shell = built("scorer", eager)
    failures: list[Exception] = []

    def work() -> None:
        try:
            shell.run()
        except SettingsError as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        wait_for(lambda: not shell.health())
        admin = AdminClient({"bootstrap.servers": own.bootstrap})
        for future in admin.create_partitions([NewPartitions(topics.EVENTS, own.partitions + 1)]).values():
            future.result(30)
        thread.join(60)
        assert not thread.is_alive()
    finally:
        shell.stop()
        thread.join(30)
    (failure,) = failures
    message = f"topic {topics.EVENTS} has more than the {own.partitions} partitions that it was made with"
    assert str(failure).startswith(message)
    assert "driftloop repartition" in str(failure)

    with running(own, tmp_path / "log") as scorer:
        assert scorer.process.wait(START_S) == 2
    (line,) = (line for line in scorer.output.splitlines() if "ERROR" in line)
    assert line.endswith(str(failure))
    assert "Traceback" not in scorer.output

    with pytest.raises(
        SettingsError, match=f"has {own.partitions + 1} partitions, and the setting partitions says {own.partitions}"
    ):
        create(own, topics.all_topics(own.partitions))
