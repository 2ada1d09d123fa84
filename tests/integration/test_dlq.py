"""Dead letters are sent again, or put aside, each once: the commands on a real broker, with a processor that fails at first."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from confluent_kafka import TopicPartition

from features.base.events import DeadLetter
from features.base.settings import Settings
from infra.cli import main
from infra.dead_letters import handled
from infra.inspect.publish import publish
from streams import topics
from streams.engine.core import ATTEMPT_HEADER, Output, dead_letter
from streams.engine.replay_log import record_of
from streams.engine.shell import Shell
from streams.kafka.clients import consumer, producer
from streams.kafka.create_topics import create
from streams.kafka.records import Produce, Record
from streams.publish.lockstep import Lockstep
from streams.topics import Topic

pytestmark = pytest.mark.integration

Run = Callable[..., int]


class UnknownProcessor(RuntimeError):
    """Passes by itself: what failed for it can be taken the next time."""


class Moody:
    """Takes nothing while it is in the mood, then all but what is poisonous."""

    def __init__(self, source: str, target: str) -> None:
        self.name = f"moody-{source}"
        self.inputs: tuple[str, ...] = (source,)
        self.outputs: tuple[str, ...] = (target, topics.DLQ)
        self.replays: tuple[str, ...] = ()
        self.failing = True
        self._target = target

    def process(self, records: Sequence[Record]) -> Output:
        output = Output()
        for record in records:
            if record.value is None or record.value.startswith(b"poison"):
                output.produce.append(dead_letter(record, self.name, ValueError("poisonous")))
            elif self.failing:
                output.produce.append(dead_letter(record, self.name, UnknownProcessor("not now")))
            else:
                output.produce.append(Produce(self._target, record.key, record.value, record.partition, record.headers))
        return output

    def restore(self, records: Sequence[Record]) -> None:
        """Nothing to restore."""

    def forget(self, partitions: Sequence[tuple[str, int]]) -> None:
        """Nothing to forget."""


@pytest.fixture
def pair(platform: Settings) -> tuple[str, str]:
    """Two fresh topics with two partitions."""
    name = uuid.uuid4().hex[:8]
    create(platform, [Topic(f"in-{name}", 2), Topic(f"out-{name}", 2)])
    return f"in-{name}", f"out-{name}"


@pytest.fixture
def run(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("DRIFTLOOP_DIR", str(platform.dir))
    return lambda *arguments: main.run(["dlq", *arguments])


@contextmanager
def running(settings: Settings, core: Moody) -> Iterator[None]:
    shell = Shell(settings, core)
    thread = threading.Thread(target=shell.run)
    thread.start()
    try:
        yield
    finally:
        shell.stop()
        thread.join(30)
        assert not thread.is_alive()


def read(settings: Settings, topic: str) -> list[Record]:
    """All committed records."""
    reader = consumer(settings, uuid.uuid4().hex)
    reader.assign([TopicPartition(topic, p, 0) for p in (0, 1)])
    records, waiting = [], 2
    try:
        while waiting:
            for message in reader.consume(1000, 1.0):
                if message.error() is None:
                    records.append(record_of(message))
                else:
                    waiting -= 1
    finally:
        reader.close()
    return records


def listed(run: Run, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run("list", "-n", "1000", "--json", *arguments) == 0
    letters: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return letters


def test_a_letter_is_sent_again_once_and_comes_back_with_its_count(
    platform: Settings, pair: tuple[str, str], run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = pair
    core = Moody(source, target)
    sender = producer(platform)
    for i in range(20):
        # Of a record without a key, the place is all there is; of the others, the partition follows from the key.
        if i < 10:
            sender.produce(source, f"v{i}".encode(), f"k{i}".encode(), headers=[("trace", f"{i}".encode()), ("n", None)])
        else:
            sender.produce(source, f"v{i}".encode(), None, i % 2)
    sender.produce(source, b"poison", b"k1")
    assert sender.flush(20) == 0
    before = {record.value: record for record in read(platform, source)}
    with running(platform, core):
        lockstep = Lockstep(platform, {core.name: (source,)}, timeout_s=30)
        lockstep.wait()
        assert len(listed(run, capsys, "--topic", source)) == 21

        assert run("replay", "--topic", source, "--error", "UnknownProcessor", "--dry-run") == 0
        assert "20 letters would be sent again" in capsys.readouterr().out
        assert len(read(platform, source)) == 21
        core.failing = False
        assert run("replay", "--topic", source, "--error", "UnknownProcessor", "--yes") == 0
        assert "20 letters replayed, 20 records sent" in capsys.readouterr().out
        assert run("replay", "--topic", source, "--error", "UnknownProcessor", "--yes") == 0
        assert "no dead letters to do this with" in capsys.readouterr().out
        (poison,) = listed(run, capsys, "--topic", source)
        assert run("replay", poison["place"], "--yes") == 0
        lockstep.wait()
        lockstep.close()

    taken = read(platform, target)
    assert sorted(record.value or b"" for record in taken) == sorted(f"v{i}".encode() for i in range(20))
    for record in taken:
        old = before[record.value]
        assert (record.partition, record.key) == (old.partition, old.key)
        assert record.headers == [*old.headers, (ATTEMPT_HEADER, b"2")]

    (back,) = listed(run, capsys, "--topic", source)
    assert (back["error"], back["attempt"], back["place"] != poison["place"]) == ("ValueError", 2, True)
    assert run("discard", "--reason", "a test terminal", back["place"], "--yes") == 0
    assert listed(run, capsys, "--topic", source) == []
    everything = listed(run, capsys, "--topic", source, "--all")
    assert len(everything) == 22
    assert {letter["handled"]["action"] for letter in everything[:21]} == {"replayed"}
    assert (everything[21]["handled"]["action"], everything[21]["handled"]["reason"]) == ("discarded", "a test terminal")
    assert run("show", back["place"]) == 0
    assert "a test terminal" in capsys.readouterr().out
    assert run("replay", back["place"], "--yes") == 0, "what was discarded is not sent"
    assert len(read(platform, source)) == 42


def test_a_record_that_two_processors_refused_is_sent_once(
    platform: Settings, pair: tuple[str, str], run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    source, _ = pair
    for processor in ("archive", "drift-monitor"):
        publish(platform, topics.DLQ, "k", DeadLetter(source, 1, 3, processor, "E", "no", b"v", b"k"))
    assert run("replay", "--topic", source, "--processor", "archive", "--yes") == 0
    assert run("replay", "--topic", source, "--yes") == 0
    assert "1 letters replayed, 0 records sent" in capsys.readouterr().out
    assert [record.value for record in read(platform, source)] == [b"v"]


def test_what_was_cut_is_refused(platform: Settings, pair: tuple[str, str], run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    source, _ = pair
    publish(platform, topics.DLQ, "k", DeadLetter(source, 0, 1, "scorer", "E", "no", b"v", b"k", truncated=True))
    publish(platform, topics.DLQ, "k", DeadLetter(source, 0, 2, "scorer", "E", "no", b"w", b"k"))
    cut, _ = listed(run, capsys, "--topic", source)
    assert run("replay", "--topic", source, "--yes") == 1
    assert f"cannot be replayed: {cut['place']}; publish the record again" in capsys.readouterr().err
    assert [record.value for record in read(platform, source)] == [b"w"]
    assert [letter["place"] for letter in listed(run, capsys, "--topic", source)] == [cut["place"]]


def test_one_record_that_its_topic_no_longer_takes_keeps_no_other_back(
    platform: Settings, pair: tuple[str, str], run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    source, _ = pair
    small = f"small-{source}"
    create(platform, [Topic(small, 2, {"max.message.bytes": "2000"})])
    values = [f"v{i}".encode() for i in range(7)]
    values[4] = os.urandom(3000)
    for i, value in enumerate(values):
        publish(platform, topics.DLQ, "k", DeadLetter(small, 0, i, "scorer", "E", "no", value, b"k"))
    large = listed(run, capsys, "--topic", small)[4]
    assert run("replay", "--topic", small, "--yes") == 1
    output = capsys.readouterr()
    assert "6 letters replayed, 6 records sent" in output.out, output.err
    assert f"cannot be replayed: {large['place']}; raise the topic's max.message.bytes" in output.err
    assert [record.value for record in read(platform, small)] == [v for i, v in enumerate(values) if i != 4]
    assert [letter["place"] for letter in listed(run, capsys, "--topic", small)] == [large["place"]]


def test_letters_of_no_topic_or_partition_keep_no_other_back(
    platform: Settings, pair: tuple[str, str], run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    source, _ = pair
    processor = f"of-{source}"
    for place in ((source, 0), (source, 77), (f"gone-{source}", 0), (source, 1)):
        publish(platform, topics.DLQ, "k", DeadLetter(*place, 1, processor, "E", "no", f"v{place[1]}".encode(), b"k"))
    places = [letter["place"] for letter in listed(run, capsys, "--processor", processor)]
    assert run("replay", "--processor", processor, "--yes") == 1
    output = capsys.readouterr()
    assert "2 letters replayed, 2 records sent" in output.out
    assert f"cannot be replayed: {places[1]}, {places[2]}; publish the record to where it belongs" in output.err
    assert sorted(record.value or b"" for record in read(platform, source)) == [b"v0", b"v1"]


def test_it_asks_first_and_no_is_no(platform: Settings, pair: tuple[str, str], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    source, _ = pair
    publish(platform, topics.DLQ, "k", DeadLetter(source, 0, 1, "scorer", "E", "no", b"v", b"k"))

    def no(text: str, abort: bool) -> bool:
        assert "1 letters will be sent again" in text
        raise typer.Abort

    monkeypatch.setattr("typer.confirm", no)
    assert run("replay", "--topic", source) == 130
    assert read(platform, source) == []


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("discard", "--yes"), "--reason"),
        (("discard", "--reason", " ", "--yes"), "--reason"),
        (("replay", "x:1"), "PARTITION:OFFSET"),
        (("replay", "--since", "2026-01-02", "--until", "2026-01-01"), "--since"),
        (("list", "--since", "yesterday"), "--since"),
    ],
)
def test_wrong_input_is_one_line(run: Run, arguments: tuple[str, ...], names: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert names in error
    assert error.count("\n") == 1


def test_killed_in_the_middle_each_letter_is_sent_once(platform: Settings, pair: tuple[str, str], run: Run) -> None:
    source, _ = pair
    sender = producer(platform)
    n = 3000
    for i in range(n):
        letter = DeadLetter(source, i % 2, i, "scorer", "E", "no", f"{i}".encode(), f"k{i}".encode())
        sender.produce(topics.DLQ, msgspec.json.encode(letter), f"k{i}".encode())
    assert sender.flush(30) == 0
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "infra.cli.main", "--dir", str(platform.dir), "dlq", "replay", "--topic", source, "--yes"]
    kills = 0
    for _ in range(2):
        with subprocess.Popen(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, stdout=subprocess.DEVNULL) as child:
            had = len(handled.read(platform).sent)
            while child.poll() is None and len(handled.read(platform).sent) == had:
                pass
            child.kill()
        kills += child.returncode == -signal.SIGKILL
    assert kills
    assert run("replay", "--topic", source, "--yes") == 0
    assert sorted(int(record.value or b"") for record in read(platform, source)) == list(range(n))
