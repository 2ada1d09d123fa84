"""The publisher and the lockstep on a real broker. What other tests wrote to the same topics is told apart by ids."""

from __future__ import annotations

import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from features.base.durations import DAY_MS
from features.base.events import Label
from features.base.settings import Settings
from features.domains.card_fraud.event import Payment
from infra.cli import main
from streams import topics
from streams.kafka.clients import consumer, producer
from streams.kafka.create_topics import create
from streams.publish.lockstep import Lockstep, LockstepError
from streams.publish.publisher import Publisher, PublishError
from streams.simulate.card_fraud.options import Options
from streams.simulate.card_fraud.simulation import Simulation

pytestmark = pytest.mark.integration


@pytest.fixture
def own(platform: Settings) -> str:
    """A topic of one's own with two partitions."""
    name = f"publish-{uuid.uuid4().hex[:8]}"
    create(platform, [topics.Topic(name, 2)])
    return name


def read_all(settings: Settings, name: str) -> list[tuple[int, bytes]]:
    """(partition, value) of every JSON record in the topic, in the order of each partition; other tests write Avro too."""
    reader = consumer(settings, f"read-{uuid.uuid4().hex[:8]}")
    records = []
    try:
        partitions = reader.list_topics(name, 10).topics[name].partitions
        reader.assign([TopicPartition(name, p, 0) for p in partitions])
        open_ = set(partitions)
        while open_:
            message = reader.poll(10)
            assert message is not None
            error = message.error()
            if error is not None:
                assert error.code() == KafkaError._PARTITION_EOF
                open_.discard(message.partition())
            elif message.value()[:1] == b"{":
                records.append((message.partition(), message.value()))
    finally:
        reader.close()
    return records


def test_a_history_in_two_calls_arrives_whole_and_in_order(platform: Settings) -> None:
    seed = uuid.uuid4().int % 10**9
    simulation = Simulation(Options(cards=300, terminals=80, seed=seed, fraud_rate=0.05))
    met: list[int] = []
    with Publisher(platform, on_boundary=met.append) as publisher:
        first = publisher.publish(simulation.days(0, 3))
        second = publisher.publish(simulation.days(3, 6))
        total = first + second
        assert total.labels_pending > 0
        total += publisher.drain()

    batches = list(simulation.days(0, 6))
    assert met == [batch.end_ms for batch in batches]
    assert total.transactions == sum(len(batch.transactions) for batch in batches)
    assert total.labels == sum(len(batch.labels) for batch in batches)
    assert total.labels_pending == 0

    decode = msgspec.json.Decoder(Payment).decode
    rows = [(p, decode(value)) for p, value in read_all(platform, topics.EVENTS)]
    mine = [(p, event) for p, event in rows if event.event_id[1:].startswith(f"{seed}-")]
    assert {event.event_id for _, event in mine} == {i for b in batches for i in b.transactions.event_id}
    assert len(mine) == total.transactions
    for partition in range(platform.partitions):
        times = [event.event_time_ms for p, event in mine if p == partition]
        assert times == sorted(times)

    labels = [(p, msgspec.json.decode(value, type=Label)) for p, value in read_all(platform, topics.LABELS)]
    own_labels = [(p, label) for p, label in labels if label.event_id.startswith(f"t{seed}-")]
    assert len(own_labels) == total.labels
    # Labels lie in the partition of their transaction: the label joiner depends on it.
    where = {event.event_id: p for p, event in mine}
    assert all(where[label.event_id] == p for p, label in own_labels)


def test_speed_is_kept(platform: Settings) -> None:
    simulation = Simulation(Options(cards=50, terminals=40, seed=uuid.uuid4().int % 10**9))
    with Publisher(platform, speed=DAY_MS / 1000 / 0.8) as publisher:
        report = publisher.publish(simulation.days(0, 2))
    # Pace is counted from the first event, which comes soon after midnight.
    assert 1.2 < report.seconds < 4.0


def test_lockstep_waits_for_offsets_and_probes(platform: Settings, own: str) -> None:
    group = f"group-{own}"
    sink = producer(platform)
    for i in range(20):
        sink.produce(own, b"x", str(i).encode())
    sink.flush(10)
    lockstep = Lockstep(platform, {group: (own,)}, timeout_s=0.5)
    with pytest.raises(LockstepError, match=rf"{group} lags on {own}\[[01]\] by \d+"):
        lockstep.wait()

    source = consumer(platform, group)
    # What a commit carries along is free text, and moves nothing.
    source.commit(offsets=[TopicPartition(own, p, 0, '{"seen": 20}') for p in (0, 1)], asynchronous=False)
    with pytest.raises(LockstepError, match=rf"{group} lags on {own}\[[01]\] by \d+"):
        lockstep.wait()
    threading.Timer(0.3, commit_ends, (source, own)).start()
    Lockstep(platform, {group: (own,)}, timeout_s=10).wait()

    # Quiet before the groups are looked at, but not after: what lies in between is not missed.
    probed = iter(["a training run", None, "a run that began meanwhile", None, None])
    Lockstep(platform, {group: (own,)}, [lambda: next(probed)], timeout_s=10).wait()
    assert next(probed, "over") == "over"
    with pytest.raises(LockstepError, match="a training run"):
        Lockstep(platform, {group: (own,)}, [lambda: "a training run"], timeout_s=0.2).wait()
    source.close()


def commit_ends(source: Consumer, topic: str) -> None:
    ends = [TopicPartition(topic, p, source.get_watermark_offsets(TopicPartition(topic, p), 10)[1]) for p in (0, 1)]
    source.commit(offsets=ends, asynchronous=False)


def test_commit_markers_are_no_lag_and_open_transactions_are(platform: Settings, own: str) -> None:
    group = f"group-{own}"
    sink = producer(platform, transactional_id=f"tx-{own}")
    sink.init_transactions(30)
    sink.begin_transaction()
    sink.produce(own, b"x", partition=0)
    sink.commit_transaction(30)
    source = consumer(platform, group)
    # As a plain client commits: past the record, not past the marker behind it.
    source.commit(offsets=[TopicPartition(own, 0, 1)], asynchronous=False)
    Lockstep(platform, {group: (own,)}, timeout_s=10).wait()

    sink.begin_transaction()
    sink.produce(own, b"y", partition=0)
    sink.flush(10)
    with pytest.raises(LockstepError, match=f"{group} lags on {own}"):
        Lockstep(platform, {group: (own,)}, timeout_s=1.0).wait()
    sink.abort_transaction(30)
    Lockstep(platform, {group: (own,)}, timeout_s=10).wait()
    source.close()


def test_what_is_missing_is_said_at_once(platform: Settings) -> None:
    with pytest.raises(LockstepError, match=r"no topic never-made at .*driftloop up"):
        Lockstep(platform, {"g": ("never-made",)}).wait()
    nowhere = platform.model_copy(update={"bootstrap_servers": "127.0.0.1:1"})
    started = time.monotonic()
    with pytest.raises(PublishError, match=r"no Kafka broker answers at 127\.0\.0\.1:1; run driftloop up"):
        Publisher(nowhere)
    assert time.monotonic() - started < 20


def test_days_that_are_not_yet_are_refused_before_they_are_published(
    platform: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DRIFTLOOP_DIR", str(platform.dir))
    before = len(read_all(platform, topics.EVENTS))
    assert main.run(["simulate", "--start", "2089-01-05", "--days", "1", "--subjects", "5"]) == 2
    assert "event time reaches 2089-01-05, which is not yet" in " ".join(capsys.readouterr().err.split())
    # Payments of a week ago, and labels that nobody can have yet.
    start = (datetime.now(UTC) - timedelta(days=7)).date().isoformat()
    arguments = ["--start", start, "--days", "1", "--subjects", "300", "--positive-rate", "0.2", "--all-labels"]
    assert main.run(["simulate", *arguments]) == 2
    assert "label time reaches" in " ".join(capsys.readouterr().err.split())
    assert len(read_all(platform, topics.EVENTS)) == before
