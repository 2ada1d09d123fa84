"""Four partitions become six, under kills, and then three: scores, states, outcomes and archive go on as if nothing had been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.dataset as ds
import pytest
from confluent_kafka import TopicPartition

from features.archive import generations
from features.base.durations import DAY_MS
from features.base.event import Event
from features.base.events import Label, Outcome, Score
from features.base.sections import Features
from features.base.settings import Settings, load
from features.catalogue.vector import N_STREAM, unpacked
from features.domains.card_fraud.event import Payment
from features.history.state import SubjectState
from features.transform.arrow import Recomputation, in_log_order, vectors
from features.transform.columns import from_events
from features.transform.update import update
from infra.cli import main
from infra.platform import leftovers, repartition_journal, supervisor
from infra.platform import up_down as local
from infra.platform.moved import moved
from infra.platform.repartition_journal import Journal
from infra.repartition import broker
from infra.repartition.copying import SPREAD, temporary
from streams import topics
from streams.engine.repartition_header import Copied, copied
from streams.kafka import clients
from streams.kafka.committed import Committed
from streams.kafka.partitioners import HASHES
from streams.kafka.records import Record
from streams.publish.groups import GROUPS
from streams.publish.lockstep import Lockstep
from streams.publish.probe import control_probe
from streams.simulate.card_fraud.options import Options
from tests.chaos.logs import committed
from tests.served import transactions

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

DAYS, DELAY_DAYS = 12, 2
ROOT = Path(__file__).parents[2]
#: Labels come a day after their payment: before it matures, and for some only after a repartition.
LABEL_MS = DAY_MS


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Settings]:
    """All of it, without a champion: vectors are published unscored."""
    folder = tmp_path / "platform"
    folder.mkdir()
    (folder / "driftloop.toml").write_text(f"[labels]\ndelay_days = {DELAY_DAYS}\n[skew]\nsubjects = 0\n")
    try:
        yield local.up(load(folder))
    finally:
        local.down(load(folder))
        assert not leftovers.find(load(folder))


def is_purchase(event: Event) -> bool:
    return getattr(event, "kind", None) in (None, "purchase")


class Stream:
    """Payments and their labels, published part by part, each part until it is all processed."""

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.dir
        self.payments = transactions(Options(cards=60, terminals=40, seed=5), DAYS)
        self.published: list[Payment] = []
        self.positives: set[str] = set()
        self._labels: list[Label] = []

    def publish(self, share: float, repeated: int = 0) -> None:
        """The newest so many once more, as if they were copies; the payments up to this share of all, and the labels that are
        due by then."""
        settings = load(self.folder)
        part = self.payments[len(self.published) : int(share * len(self.payments))]
        sender = clients.producer(settings)
        for payment in self.published[len(self.published) - repeated :]:
            sender.produce(topics.EVENTS, msgspec.json.encode(payment), payment.subject.encode(), headers=[Copied().header()])
        self.published += part
        for payment in [*filter(is_purchase, part)][::10]:
            at = payment.event_time_ms + LABEL_MS
            self._labels.append(Label(payment.event_id, payment.subject, payment.counterpart, payment.event_time_ms, True, at))
        newest_ms = part[-1].event_time_ms
        # Labels first, which wait for their scores: of days that are published at once, the oldest would be forgotten already
        # when a label comes behind all of them.
        for n, label in enumerate([label for label in self._labels if label.label_time_ms <= newest_ms]):
            # One in three comes without a key, to any partition.
            sender.produce(topics.LABELS, msgspec.json.encode(label), label.subject.encode() if n % 3 else None)
            self._labels.remove(label)
            self.positives.add(label.event_id)
        assert sender.flush(30) == 0
        # Those without a key are moved first.
        self.wait()
        for payment in part:
            sender.produce(topics.EVENTS, msgspec.json.encode(payment), payment.subject.encode())
        assert sender.flush(30) == 0
        sender.close()
        self.wait()

    def slip(self, count: int) -> None:
        """The next few payments, while no processor runs: what a producer gets past its stop."""
        sender = clients.producer(load(self.folder))
        part = self.payments[len(self.published) : len(self.published) + count]
        for payment in part:
            sender.produce(topics.EVENTS, msgspec.json.encode(payment), payment.subject.encode(), headers=[Copied().header()])
        assert sender.flush(30) == 0
        sender.close()
        self.published += part

    def wait(self) -> None:
        """Until all that was published is processed."""
        with Lockstep(load(self.folder), GROUPS, [control_probe(load(self.folder))], 240) as lockstep:
            lockstep.wait()


def command(folder: Path, partitions: int, *more: str) -> subprocess.Popen[str]:
    arguments = ["--dir", str(folder), "repartition", "--partitions", str(partitions), "--yes", *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "infra.cli.main", *arguments],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def kill_when(folder: Path, partitions: int, due: Callable[[Journal], bool]) -> Journal:
    """Kill -9 once the journal says so; what it says afterwards."""
    child = command(folder, partitions)
    try:
        while child.poll() is None:
            journal = repartition_journal.read(load(folder))
            if journal is not None and due(journal):
                child.send_signal(signal.SIGKILL)
                break
            time.sleep(0.005)
        output = child.communicate(timeout=60)[0]
    finally:
        child.kill()
    assert child.returncode == -signal.SIGKILL, output
    left = repartition_journal.read(load(folder))
    assert left is not None
    return left


def finish(folder: Path, partitions: int, *more: str) -> str:
    output = command(folder, partitions, *more).communicate(timeout=600)[0]
    assert f"the topics have {partitions} partitions" in output, output
    assert repartition_journal.read(load(folder)) is None
    settings = load(folder)
    assert settings.partitions == partitions
    existing = clients.admin(settings).list_topics(timeout=10).topics
    assert {len(existing[topic].partitions) for topic in SPREAD} == {partitions}
    assert not any(temporary(topic) in existing for topic in SPREAD)
    return output


def commit(settings: Settings, group: str, offsets: dict[int, int]) -> None:
    """As a reader of somebody else's does."""
    reader = clients.consumer(settings, group)
    reader.commit(offsets=[TopicPartition(topics.LABELS, p, offset) for p, offset in offsets.items()], asynchronous=False)
    reader.close()


@contextmanager
def publishing(settings: Settings, again: Payment) -> Iterator[None]:
    """Somebody publishes all the time: a payment that is there already, so that nothing comes of it."""
    ended = threading.Event()

    begun = threading.Event()

    def publish() -> None:
        sender = clients.producer(settings)
        while not ended.wait(0.2):
            sender.produce(topics.EVENTS, msgspec.json.encode(again), again.subject.encode())
            assert sender.flush(60) == 0
            begun.set()
        sender.close()

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        assert begun.wait(60)
        yield
    finally:
        ended.set()
        thread.join()


def values(settings: Settings, topic: str) -> dict[int, list[Record]]:
    return committed(settings, topic, settings.partitions)


def check(stream: Stream) -> None:
    """Everything that must hold for what was published so far."""
    settings = load(stream.folder)
    _scores(settings, stream)
    _outcomes(settings, stream)
    _archive(settings, stream)


def _scores(settings: Settings, stream: Stream) -> None:
    """One score for each payment, in the partition of its card, with the vector of a run through the pure core alone."""
    decode = msgspec.json.Decoder(Score).decode
    by_partition = {p: [decode(r.value or b"") for r in records] for p, records in values(settings, topics.SCORES).items()}
    counts = Counter(score.event.event_id for scores in by_partition.values() for score in scores)
    assert counts == Counter(payment.event_id for payment in stream.published)
    for partition, scores in by_partition.items():
        assert {HASHES[settings.partitioner](s.event.subject.encode()) % settings.partitions for s in scores} <= {partition}
    wanted = update(SubjectState(), from_events(stream.published), settings.features.measure_limit)[:, :N_STREAM]
    by_id = {s.event.event_id: unpacked(s.features)[:N_STREAM] for scores in by_partition.values() for s in scores}
    served = np.stack([by_id[payment.event_id] for payment in stream.published])
    np.testing.assert_array_equal(served.view(np.uint32), wanted.view(np.uint32))


def _outcomes(settings: Settings, stream: Stream) -> None:
    """Each outcome once: all that are due, those of labels with the score, and none that is not due."""
    decode = msgspec.json.Decoder(Outcome).decode
    outcomes = [decode(r.value or b"") for records in values(settings, topics.OUTCOMES).values() for r in records]
    counts = Counter((o.event_id, o.late) for o in outcomes)
    assert set(counts.values()) <= {1}
    assert all(o.measure is not None for o in outcomes), "an outcome without its score"
    assert {o.event_id for o in outcomes if o.positive} == stream.positives
    score = msgspec.json.Decoder(Score).decode
    decided = {o.event_id for o in outcomes}
    for records in values(settings, topics.SCORES).values():
        # Only purchases have outcomes.
        held = [event for r in records if is_purchase(event := score(r.value or b"").event)]
        live = any(copied(r) is None for r in records)  # nobody but the scorer writes scores, so no header is forged
        newest = max((score(r.value or b"").event.event_time_ms for r in records), default=0)
        due = {event.event_id for event in held if event.event_time_ms + DELAY_DAYS * DAY_MS <= newest}
        if live:
            assert due <= decided
    end = stream.published[-1].event_time_ms
    early = {payment.event_id for payment in stream.published if payment.event_time_ms + DELAY_DAYS * DAY_MS > end}
    assert early & decided <= stream.positives


def _archive(settings: Settings, stream: Stream) -> None:
    """Each score and outcome in one row of a place of its own; batch gives the served vectors from these rows."""
    scores = ds.dataset(settings.archive / "scores", format="parquet").to_table()
    assert Counter(scores.column("transaction_id").to_pylist()) == Counter(payment.event_id for payment in stream.published)
    places = set(zip(scores.column("kafka_partition").to_pylist(), scores.column("kafka_offset").to_pylist(), strict=True))
    assert len(places) == scores.num_rows
    ordered = in_log_order(scores)
    again, served = Recomputation(Features()).vectors(ordered), vectors(ordered.column("features"))
    np.testing.assert_array_equal(again[:, :N_STREAM].view(np.uint32), served[:, :N_STREAM].view(np.uint32))
    outcomes = ds.dataset(settings.archive / "outcomes", format="parquet").to_table()
    published = values(settings, topics.OUTCOMES)
    assert outcomes.num_rows == sum(map(len, published.values()))


def test_partitions_change_in_place(platform: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    folder = platform.dir
    stream = Stream(platform)
    sender = clients.producer(platform)
    sender.produce(topics.EVENTS, b"{", stream.payments[0].subject.encode())
    assert sender.flush(30) == 0
    sender.close()
    stream.publish(0.4)
    stream.publish(0.5, repeated=20)
    check(stream)

    assert kill_when(folder, 6, lambda j: j.phase == "copying" and bool(j.topics or j.running)).phase == "copying"
    stream.slip(3)
    kill_when(folder, 6, lambda j: j.phase == "switching" and j.topics[topics.SCORES].done)
    assert main.run(["--dir", str(folder), "up"]) == 2
    assert "is unfinished; run driftloop repartition --partitions 6 again" in capsys.readouterr().err
    assert main.run(["--dir", str(folder), "repartition", "--partitions", "5", "--yes"]) == 2
    assert "finish it first, with --partitions 6" in capsys.readouterr().err
    kill_when(folder, 6, lambda j: j.phase == "finishing")
    finish(folder, 6)

    stream.wait()
    # The broken and the repeated ones are not copied; what came meanwhile is.
    assert sum(map(len, values(load(folder), topics.EVENTS).values())) == len(stream.published)
    assert generations.read(platform.archive).number == 1
    check(stream)
    stream.publish(0.75, repeated=30)
    check(stream)

    # A broker that was restarted leads with higher epochs than those of the topics to come.
    supervisor.stop_component(platform, "kafka")
    while supervisor.processes(platform)["kafka"].wanted:
        time.sleep(0.1)
    local.up(load(folder))
    commit(load(folder), "auditors", broker.ends(load(folder), topics.LABELS, dict.fromkeys(range(6), 0)))
    commit(load(folder), "slow auditors", {0: 1})

    with publishing(load(folder), stream.published[-1]):
        assert main.run(["--dir", str(folder), "repartition", "--partitions", "3", "--yes"]) == 2
    assert "driftloop: producers still publish to transactions; stop them first" in capsys.readouterr().err
    assert repartition_journal.read(load(folder)) is None

    output = finish(folder, 3, "--partitioner", "crc32")
    assert "spread by crc32" in output
    assert load(folder).partitioner == "crc32"
    with Committed(load(folder)) as at:
        places = [(topics.LABELS, p) for p in range(3)]
        commits = at.read({"auditors": places, "slow auditors": places}, 30)
    ends = {p: len(records) for p, records in values(load(folder), topics.LABELS).items()}
    assert {p: commit.offset for (_, p), commit in commits["auditors"].items()} == ends
    assert {p: commit.offset for (_, p), commit in commits["slow auditors"].items()} == dict.fromkeys(range(3), 0)
    assert generations.read(platform.archive).number == 2
    # Producers go on as before: two in three of what they send is moved from now on.
    stream.publish(1.0, repeated=30)
    check(stream)
    assert moved(load(folder))[topics.EVENTS]["came_by"].keys() == {"murmur2"}
    letters = [r for records in committed(load(folder), topics.DLQ, 1).values() for r in records]
    assert len(letters) == 1

    assert main.run(["--dir", str(folder), "repartition", "--partitions", "3", "--yes"]) == 2
    assert (
        capsys.readouterr().err == "driftloop: --partitions is 3, which is what the topics have, and they are spread by crc32\n"
    )
