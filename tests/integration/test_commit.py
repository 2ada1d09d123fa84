"""Transactions on a real broker, one test for each line of the table in ``streams.kafka.transactions``."""

from __future__ import annotations

import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from features.base.settings import Settings
from streams import topics
from streams.kafka import metrics, transactions
from streams.kafka.clients import consumer, producer
from streams.kafka.committed import Committed
from streams.kafka.create_topics import create
from streams.kafka.open_transactions import HeldBack
from streams.kafka.records import Produce
from streams.kafka.stuck_client import gets_through
from streams.kafka.transactions import Aborted, Stopped, Transactions
from streams.topics import Topic
from tests.integration.counting import read, wait_for

pytestmark = pytest.mark.integration


class Troubled(Producer):
    """A real producer, but for what its call that sends offsets does first."""

    #: Raises, or never returns.
    trouble: Callable[[], None] = staticmethod(lambda: None)

    def send_offsets_to_transaction(self, *arguments: Any) -> Any:
        assert self.flush(30) == 0, "the records are at the broker"
        type(self).trouble()
        return super().send_offsets_to_transaction(*arguments)


class Trouble:
    """Hangs, or fails, so many times."""

    def __init__(self, times: int, what: Callable[[], None]) -> None:
        self.left = times
        self.came = 0
        self._what = what

    def __call__(self) -> None:
        if self.left > 0:
            self.left -= 1
            self.came += 1
            self._what()


def not_yet() -> None:
    """What the client says while the group's coordinator loads."""
    raise KafkaException(KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS, "not yet", False, True))


class Earlier:
    """A member that has not heard that its group went on: what it says of the group is what ``source`` says now."""

    def __init__(self, source: Consumer) -> None:
        self._metadata = source.consumer_group_metadata()

    def consumer_group_metadata(self) -> object:
        return self._metadata


class Waits(threading.Thread):
    """A call that waits until it is stopped; one that is not ends with the process."""

    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self.stopped = False
        self.start()

    def run(self) -> None:
        try:
            self._call()
        except Stopped:
            self.stopped = True


class Bench:
    """A topic, a group that reads it, and transactions that write it, too."""

    def __init__(self, settings: Settings) -> None:
        self.topic = f"commit-{uuid.uuid4().hex[:8]}"
        create(settings, [Topic(self.topic, 2)])
        self.group = f"group-{self.topic}"
        self.settings = settings
        self.stop = threading.Event()
        self.made: list[Producer] = []
        self.source = consumer(settings, self.group)
        self.transactions = self.another()

    def another(self, settings: Settings | None = None) -> Transactions:
        """Transactions under the same id."""
        used = settings or self.settings

        def make() -> Producer:
            self.made.append(producer(used, transactional_id=self.topic))
            return self.made[-1]

        return Transactions(make, self.group, self.stop, HeldBack(used, (self.topic,)).read)

    def join(self) -> None:
        self.source.subscribe([self.topic])
        deadline = time.monotonic() + 30
        while not self.source.assignment():
            assert time.monotonic() < deadline
            self.source.poll(0.1)

    def begin(self) -> None:
        self.transactions.begin_life(self.source, self.topic)
        self.join()

    def run(self, value: bytes, offset: int, source: object = None, transactions: Transactions | None = None) -> None:
        written = [Produce(self.topic, b"k", value, partition) for partition in (0, 1)]
        of = cast(Consumer, source or self.source)
        (transactions or self.transactions).run(of, written, {(self.topic, 1): offset})

    def visible(self) -> tuple[list[bytes], int | None]:
        """What committed readers see once nothing holds them back: values, and the group's offset in partition 1."""
        wait_for(lambda: not HeldBack(self.settings, (self.topic,)).read())
        with Committed(self.settings) as reader:
            commit = reader.read({self.group: [(self.topic, 1)]}, 30)[self.group].get((self.topic, 1))
        return read(self.settings, self.topic), commit.offset if commit else None

    def aborts(self) -> float:
        return float(metrics.ABORTS.labels(self.group)._value.get())


@pytest.fixture
def bench(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr("streams.kafka.clients.Producer", Troubled)
    made = Bench(platform)
    yield made
    made.source.close()
    for client in made.made:
        # Those that were fenced say so once more.
        with suppress(KafkaException), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            client.close()


def trouble(monkeypatch: pytest.MonkeyPatch, times: int, what: Callable[[], None]) -> Trouble:
    made = Trouble(times, what)
    monkeypatch.setattr(Troubled, "trouble", staticmethod(made))
    return made


@pytest.fixture
def hangs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Trouble]]:
    """From its call on, the next sending of offsets never comes back, as long as the test runs."""
    over = threading.Event()
    monkeypatch.setattr(transactions, "_HUNG_S", 1.0)
    yield lambda: trouble(monkeypatch, 1, lambda: cast(None, over.wait()))
    over.set()


def test_whether_a_new_client_gets_through_is_found_out(platform: Settings) -> None:
    assert gets_through(platform, f"group-{uuid.uuid4().hex}", topics.EVENTS)
    nobody = platform.model_copy(update={"bootstrap_servers": "127.0.0.1:1"})
    assert not gets_through(nobody, "group", topics.EVENTS)


def test_what_is_written_and_the_offsets_are_seen_together(bench: Bench) -> None:
    bench.begin()
    bench.run(b"one", 1)
    assert bench.visible() == ([b"one", b"one"], 1)
    assert (len(bench.made), bench.aborts()) == (1, 0)


def test_a_member_that_the_group_went_on_without_aborts(bench: Bench) -> None:
    bench.begin()
    late = Earlier(bench.source)
    bench.source.unsubscribe()
    bench.source.poll(1)
    assert not bench.source.assignment()
    bench.join()
    with pytest.raises(Aborted) as aborted:
        bench.run(b"late", 7, late)
    assert aborted.value.error is not None
    assert aborted.value.error.code() in {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION}
    assert bench.visible() == ([], None)
    assert (len(bench.made), bench.aborts()) == (1, 1)
    bench.run(b"next", 2)
    assert bench.visible() == ([b"next", b"next"], 2)


def test_a_broker_that_is_not_ready_is_asked_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.begin()
    made = trouble(monkeypatch, 3, not_yet)
    bench.run(b"one", 1)
    assert made.came == 3
    assert bench.visible() == ([b"one", b"one"], 1)


def test_a_call_that_hangs_is_left_and_a_new_producer_takes_over(bench: Bench, hangs: Callable[[], Trouble]) -> None:
    bench.begin()
    hung = hangs()
    with pytest.raises(Aborted, match="hung"):
        bench.run(b"hung", 7)
    assert (hung.came, len(bench.made), bench.aborts()) == (1, 2, 1)
    assert bench.visible() == ([], None)
    bench.run(b"next", 2)
    assert bench.visible() == ([b"next", b"next"], 2)


def test_a_call_that_hangs_as_a_life_begins_is_left_too(bench: Bench, hangs: Callable[[], Trouble]) -> None:
    hung = hangs()
    bench.begin()
    assert (hung.came, len(bench.made)) == (1, 2)
    bench.run(b"one", 1)
    assert bench.visible() == ([b"one", b"one"], 1)


def test_whoever_was_fenced_gets_the_fatal_error_as_it_is(bench: Bench) -> None:
    bench.begin()
    newer = bench.another()
    newer.begin_life(consumer(bench.settings, bench.group), bench.topic)
    with pytest.raises(KafkaException) as fenced:
        bench.run(b"zombie", 7)
    assert fenced.value.args[0].fatal()
    assert bench.aborts() == 0, "it is no abort like another"
    assert bench.visible() == ([], None)
    bench.run(b"next", 2, transactions=newer)
    assert bench.visible() == ([b"next", b"next"], 2)


def test_a_stop_ends_the_wait_and_the_next_life_ends_what_was_open(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.begin()
    made = trouble(monkeypatch, 1_000_000, not_yet)
    waits = Waits(lambda: bench.run(b"stopped", 7))
    try:
        wait_for(lambda: made.came > 1)
        assert waits.is_alive()
        bench.stop.set()
        waits.join(10)
    finally:
        made.left = 0
    assert waits.stopped
    assert HeldBack(bench.settings, (bench.topic,)).read() == [(bench.topic, 0), (bench.topic, 1)]
    bench.stop.clear()
    newer = bench.another()
    newer.begin_life(consumer(bench.settings, bench.group), bench.topic)
    assert bench.visible() == ([], None)
    bench.run(b"next", 2, transactions=newer)
    assert bench.visible() == ([b"next", b"next"], 2)


def test_a_stop_ends_the_wait_for_a_broker_that_is_away(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "_CALL_S", 0.2)
    nowhere = bench.settings.model_copy(update={"bootstrap_servers": "127.0.0.1:1"})
    away = bench.another(nowhere)
    source = consumer(nowhere, bench.group, log_level=2)
    waits = Waits(lambda: away.begin_life(source, bench.topic))
    waits.join(1)
    assert waits.is_alive()
    bench.stop.set()
    waits.join(10)
    assert waits.stopped
    source.close()
