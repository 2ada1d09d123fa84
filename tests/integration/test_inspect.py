"""Reading the newest records of real topics, and the commands on top of it."""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from features.base.events import Alert, DeadLetter, DriftReport, ModelEvent, RetrainRequest, Score
from features.base.settings import Settings
from features.domains.card_fraud.event import Payment
from infra.cli import main
from infra.inspect import tail
from infra.inspect.decode import newest_events
from infra.inspect.publish import publish
from infra.inspect.tail import UnknownTopic, Unreachable
from streams import topics
from streams.kafka import clients
from streams.kafka.create_topics import create

pytestmark = pytest.mark.integration

AT = 1_767_225_600_000

Run = Callable[..., Any]


@pytest.fixture
def topic(platform: Settings) -> str:
    """A topic of one's own with two partitions."""
    name = f"inspect-{uuid.uuid4().hex[:8]}"
    create(platform, [topics.Topic(name, 2)])
    admin = AdminClient({"bootstrap.servers": platform.bootstrap})
    # The broker answers the creation a moment before it knows of the topic itself.
    _until(lambda: name in admin.list_topics(timeout=10).topics and admin.list_topics(name, 10).topics[name].error is None)
    return name


@pytest.fixture
def run_json(platform: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command with --json and returns what it printed."""
    monkeypatch.setenv("DRIFTLOOP_DIR", str(platform.dir))

    def run(*arguments: str) -> Any:
        assert main.run([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


def _until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _transactional(settings: Settings) -> Producer:
    producer = clients.producer(settings, f"inspect-{uuid.uuid4().hex}")
    producer.init_transactions(10)
    return producer


def _write(producer: Producer, topic: str, values: range, partition: int = 0, commit: bool = True) -> None:
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, str(value).encode(), partition=partition)
    if commit:
        producer.commit_transaction(10)
    else:
        producer.flush(10)
        producer.abort_transaction(10)


def _settled(settings: Settings, topic: str, value: int) -> None:
    """Wait until ``value`` can be read: a commit is answered a moment before its markers are in the log."""
    _until(lambda: value in _values(tail.newest(settings, topic, 1)))


def _values(newest: tail.Tail) -> list[int]:
    return [int(seen.value or b"-1") for seen in newest.records]


def test_an_empty_topic_has_no_newest_records(platform: Settings, topic: str) -> None:
    newest = tail.newest(platform, topic, 5)
    assert newest.records == []
    assert newest.ends == {0: 0, 1: 0}


def test_newest_looks_behind_commit_markers_and_aborted_records(platform: Settings, topic: str) -> None:
    producer = _transactional(platform)
    _write(producer, topic, range(10))
    for value in range(10, 20):
        _write(producer, topic, range(value, value + 1))
    _write(producer, topic, range(1000, 1300), commit=False)
    _settled(platform, topic, 19)
    for n in (1, 5, 15, 20, 100):
        assert _values(tail.newest(platform, topic, n)) == list(range(20))[-n:]
    assert tail.newest(platform, topic, 0).records == []


def test_newest_of_all_partitions_comes_in_order_of_arrival(platform: Settings, topic: str) -> None:
    producer = _transactional(platform)
    for value in range(10):
        _write(producer, topic, range(value, value + 1), partition=value % 2)
        # Within one millisecond of the broker's clock there is no order between partitions.
        time.sleep(0.003)
    _settled(platform, topic, 9)
    assert _values(tail.newest(platform, topic, 4)) == [6, 7, 8, 9]
    assert _values(tail.newest_each(platform, topic, 1)) == [8, 9]


def test_newest_of_what_is_wanted_is_found_far_back(platform: Settings, topic: str) -> None:
    producer = _transactional(platform)
    _write(producer, topic, range(5000))
    _settled(platform, topic, 4999)
    wanted = tail.newest(platform, topic, 3, lambda seen: int(seen.value or b"-1") < 100)
    assert _values(wanted) == [97, 98, 99]


def test_newest_is_quick(platform: Settings, topic: str) -> None:
    producer = _transactional(platform)
    _write(producer, topic, range(20_000))
    _settled(platform, topic, 19_999)
    start = time.monotonic()
    assert _values(tail.newest(platform, topic, 20)) == list(range(19_980, 20_000))
    assert time.monotonic() - start < 2.0


def test_an_open_transaction_is_not_waited_for(platform: Settings, topic: str) -> None:
    producer = _transactional(platform)
    _write(producer, topic, range(3))
    _settled(platform, topic, 2)
    producer.begin_transaction()
    producer.produce(topic, b"4711", partition=0)
    producer.flush(10)
    try:
        assert _values(tail.newest(platform, topic, 5)) == [0, 1, 2]
    finally:
        producer.abort_transaction(10)


def test_one_record_by_its_place(platform: Settings, topic: str) -> None:
    _write(_transactional(platform), topic, range(3))
    _settled(platform, topic, 2)
    record = tail.at(platform, topic, 0, 1)
    assert record is not None
    assert (record.partition, record.offset, record.value) == (0, 1, b"1")
    # Offset 3 is the commit marker.
    for partition, offset in [(0, 3), (0, 99), (1, 0), (7, 0)]:
        assert tail.at(platform, topic, partition, offset) is None


def test_follow_goes_on_where_newest_ended(platform: Settings, topic: str) -> None:
    producer = _transactional(platform)
    _write(producer, topic, range(3))
    _settled(platform, topic, 2)
    newest = tail.newest(platform, topic, 1)
    writer = threading.Timer(0.3, _write, (producer, topic, range(3, 6)))
    writer.start()
    following = tail.follow(platform, topic, newest.ends)
    assert [next(following).value for _ in range(3)] == [b"3", b"4", b"5"]
    writer.join()


def test_an_unknown_topic_is_an_error(platform: Settings) -> None:
    with pytest.raises(UnknownTopic, match="no topic 'nowhere'"):
        tail.newest(platform, "nowhere", 1)


def test_a_broker_that_is_not_there_is_an_error(platform: Settings) -> None:
    # The port of Redis was free for Kafka's protocol: nothing there speaks it.
    elsewhere = platform.model_copy(update={"bootstrap_servers": platform.redis_address})
    with pytest.raises(Unreachable, match="does not answer"):
        tail.newest(elsewhere, topics.ALERTS, 1, timeout_s=1.0)
    with pytest.raises(Unreachable, match="did not take the record"):
        publish(elsewhere, topics.ALERTS, "k", Payment("t", AT, "c", "m", 1), timeout_s=1.0)


def test_events_of_another_kind_are_passed_over(platform: Settings, topic: str) -> None:
    event = ModelEvent("fraud", "running", AT, AT)
    producer = _transactional(platform)
    producer.begin_transaction()
    for value in (msgspec.json.encode(event), b"{", None, b"\xff"):
        producer.produce(topic, value, partition=0)
    producer.commit_transaction(10)
    _until(lambda: len(tail.newest(platform, topic, 5).records) == 4)
    newest = newest_events(platform, topic, ModelEvent, 5)
    assert [event for _, event in newest.events] == [event]


def test_alerts(platform: Settings, run_json: Run, capsys: pytest.CaptureFixture[str]) -> None:
    subjects = [f"card-{uuid.uuid4().hex[:8]}" for _ in range(3)]
    for subject in subjects:
        alert = Alert(
            Payment("t", AT, subject, "m", 1250),
            Payment("t", AT, subject, "m", 1250).subject,
            0.9,
            0.5,
            "fraud",
            "v1",
            ["amount"],
            {"amount": 12.5},
        )
        publish(platform, topics.ALERTS, subject, alert)
        time.sleep(0.003)
    assert [alert["event"]["card_id"] for alert in run_json("alerts", "-n", "2")] == subjects[1:]
    assert main.run(["alerts", "-n", "1"]) == 0
    table = capsys.readouterr().out
    assert subjects[2] in table
    assert "12.50 EUR" in table


def test_drift(platform: Settings, run_json: Run) -> None:
    report = DriftReport(uuid.uuid4().hex, "fraud", "v1", "data", AT, AT + 1, 500, "drift", "requested", 0.4, {"amount": 0.3})
    publish(platform, topics.DRIFT_REPORTS, "fraud", report)
    assert run_json("drift", "-n", "1") == [msgspec.to_builtins(report)]


def test_retrain_asks_as_of_the_newest_event(platform: Settings, run_json: Run, capsys: pytest.CaptureFixture[str]) -> None:
    newest = AT + 86_400_000
    producer = clients.producer(platform)
    for partition in range(platform.partitions):
        for back in range(120):
            paid = Payment(f"t{back}", newest - 1000 * back, f"c{partition}", "m", 1)
            score = msgspec.json.encode(Score(paid, paid.subject, "s", b"", "unscored"))
            producer.produce(topics.SCORES, score, partition=partition)
        # The newest event is not the last record.
        producer.flush(10)
    request = run_json("retrain", "--reason", " because I say so ")
    assert request["event_time_ms"] == newest - 1000 * 20
    assert (request["cause"], request["reason"], request["model"]) == ("manual", "because I say so", platform.model)
    assert main.run(["retrain", "--reason", "again"]) == 0
    output = capsys.readouterr().out
    events = newest_events(platform, topics.RETRAIN_REQUESTS, RetrainRequest, 2).events
    first, second = (event.idempotency_key for _, event in events)
    assert first == request["idempotency_key"]
    assert second != first
    assert second in output
    assert [seen.key for seen, _ in events] == [platform.model.encode()] * 2


def test_dlq(platform: Settings, run_json: Run, capsys: pytest.CaptureFixture[str]) -> None:
    mine = f"processor-{uuid.uuid4().hex[:8]}"
    letters = [
        DeadLetter("transactions", 1, 7, mine, "ValidationError", "no amount", b'{"a":1}', b"c1", [("h", b"x")]),
        DeadLetter("labels", 0, 3, mine, "DecodeError", "no JSON", b"\xff", None),
    ]
    for letter in letters:
        publish(platform, topics.DLQ, "c1", letter)
    publish(platform, topics.DLQ, "c1", DeadLetter("labels", 0, 4, "another", "DecodeError", "no", None, None))

    both = run_json("dlq", "list", "--processor", mine)
    assert [(letter["topic"], letter["value_text"]) for letter in both] == [("transactions", '{"a":1}'), ("labels", None)]
    assert base64.b64decode(both[1]["value"]) == b"\xff"
    (label_letter,) = run_json("dlq", "list", "--processor", mine, "--error", "DecodeError", "--topic", "labels", "-n", "5")
    assert label_letter == both[1]
    assert run_json("dlq", "show", label_letter["place"]) == label_letter

    assert main.run(["dlq", "show", both[0]["place"]]) == 0
    shown = capsys.readouterr().out
    for part in ("transactions 1:7", "no amount", "h = x", '"a": 1'):
        assert part in shown
    assert main.run(["dlq", "show", "0:99999999"]) == 2
    assert "driftloop dlq list" in capsys.readouterr().err
    assert main.run(["dlq", "list", "--processor", mine]) == 0
    assert capsys.readouterr().out.count(mine) == 2
