"""The drift monitor in its shell on a real broker: a fault and drift are reported, and a restart repeats nothing."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from confluent_kafka import TopicPartition

from features.base.events import DriftReport
from features.base.sections import Drift
from features.base.settings import Settings
from features.catalogue import vector
from streams import topics
from streams.drift.monitor import DriftMonitor
from streams.drift.references import StoredReferences
from streams.engine.shell import Shell
from streams.kafka.clients import consumer, producer
from streams.kafka.create_topics import create
from streams.kafka.records import Record
from streams.topics import Topic
from tests.unit.streams.drift.synthetic import GivenReferences, clock_records, score_records, scores_of, times_of, vectors

pytestmark = pytest.mark.integration


@contextmanager
def running(settings: Settings, inputs: tuple[str, str, str]) -> Iterator[None]:
    monitor = DriftMonitor(settings, StoredReferences(settings))
    monitor.name = f"drift-{settings.model}"
    monitor.inputs = inputs
    monitor.replays = (inputs[2], inputs[0], inputs[1])
    shell = Shell(settings, monitor)
    thread = threading.Thread(target=shell.run)
    thread.start()
    try:
        yield
    finally:
        shell.stop()
        thread.join(60)
        assert not thread.is_alive()


def send(settings: Settings, records: list[Record], names: dict[str, str]) -> None:
    sink = producer(settings)
    for record in records:
        sink.produce(names[record.topic], record.value or b"", partition=record.partition)
    assert sink.flush(30) == 0


def reports_of(settings: Settings, least: int, timeout_s: float = 120.0) -> list[DriftReport]:
    """This model's reports, once there are ``least`` of them; whatever came by then when time is up."""
    reports: list[DriftReport] = []
    source = consumer(settings, f"read-{uuid.uuid4().hex}")
    source.assign([TopicPartition(topics.DRIFT_REPORTS, 0, 0)])
    end = time.monotonic() + timeout_s
    try:
        while len(reports) < least and time.monotonic() < end:
            # Others use the topic, too, and may have put there what is no report.
            values = [message.value() or b"" for message in source.consume(100, 0.5) if message.error() is None]
            reports += [msgspec.json.decode(value, type=DriftReport) for value in values if settings.model.encode() in value]
    finally:
        source.close()
    return reports


def test_windows_are_judged_once_across_a_restart(platform: Settings, tmp_path: Path) -> None:
    name = f"m{uuid.uuid4().hex[:8]}"
    settings = platform.model_copy(update={"model": name, "dir": tmp_path, "partitions": 2, "drift": Drift(min_rows=300)})
    inputs = (f"scores-{name}", f"outcomes-{name}", f"events-{name}")
    names = dict(zip((topics.SCORES, topics.OUTCOMES, topics.MODEL_EVENTS), inputs, strict=True))
    create(settings, [Topic(topic, 2) for topic in inputs])
    reference = GivenReferences("v1").get("v1")
    path = StoredReferences(settings).path("v1")
    path.parent.mkdir(parents=True)
    columns = {column: reference.features[:, i] for i, column in enumerate(vector.NAMES)}
    pq.write_table(pa.table({**columns, "score": reference.scores}), path)

    rng = np.random.default_rng(1)

    def day(number: int, unit: float = 1.0) -> list[Record]:
        times = times_of(rng, number, 600)
        values = vectors(rng, times)
        values[:, vector.INDEX["amount"]] *= unit
        return score_records(times, values, scores_of(rng, values), first=number * 1_000_000)

    with running(settings, inputs):
        send(settings, [*day(0), *day(1, unit=100), *clock_records(2)], names)
        assert [report.verdict for report in reports_of(settings, 2)] == ["ok", "data_fault"]
    with running(settings, inputs):
        send(settings, [*day(2), *clock_records(3)], names)
        reports = reports_of(settings, 3)
    assert [report.verdict for report in reports] == ["ok", "data_fault", "ok"]
    assert "ratio_to_mean_30d" in reports[2].evidence["not_counted"]
