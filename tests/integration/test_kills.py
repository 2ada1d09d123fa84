"""Each processor's guarantee, on a real broker: killed (-9) several times in the middle, it ends as if nothing had been."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.archive import layout, manifest
from features.archive.compaction import compact_all
from features.archive.places import places
from features.base.durations import HOUR_MS
from features.base.events import DriftReport, Outcome
from features.base.sections import Drift
from features.base.settings import Settings
from features.catalogue import vector
from features.feast_repo.store import apply
from features.online.store import ProfileReader
from streams import topics
from streams.drift.monitor import DriftMonitor
from streams.drift.references import StoredReferences
from streams.kafka.records import Record
from streams.labels.joiner import LabelJoiner
from streams.writers.counterpart_risk import CounterpartRisk
from tests.integration.killing import Killing, settings_of
from tests.unit.streams.drift.synthetic import (
    GivenReferences,
    clock_records,
    score_records,
    scores_of,
    times_of,
    vectors,
)
from tests.unit.streams.records import DAY, HOUR, T0, label, record, score

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

PARTITIONS = 2
KILLS = 3


def numbered(records: list[Record]) -> list[Record]:
    """The same with the offsets that the broker will give them."""
    ends: Counter[tuple[str, int]] = Counter()
    renumbered = []
    for entry in records:
        place = entry.topic, entry.partition
        renumbered.append(Record(entry.topic, entry.partition, ends[place], entry.key, entry.value))
        ends[place] += 1
    return renumbered


def some_outcomes(n: int, seed: int) -> list[Record]:
    """Outcomes of 30 terminals over ten days, a little out of order; one in fifty cannot be read, and half of the frauds are
    withdrawn a day later."""
    rng = np.random.default_rng(seed)
    records = []
    for i in range(n):
        counterpart, at = f"k{seed}-t{rng.integers(30)}", T0 + i * 10 * DAY // n + int(rng.integers(HOUR))
        event = Outcome(f"k{i}", "c", counterpart, at, at + 7 * DAY, bool(rng.random() < 0.1), "matured", unusual=False)
        records.append(record(topics.OUTCOMES, 0, event if i % 50 else b"{", partition=hash_of(counterpart)))
        if event.positive and i % 2 and i % 50:
            known_ms = event.outcome_time_ms + DAY
            event = msgspec.structs.replace(event, positive=False, outcome_time_ms=known_ms, late=True, revision=2)
            records.append(record(topics.OUTCOMES, 0, event, partition=hash_of(counterpart)))
    return numbered(records)


def hash_of(name: str) -> int:
    return sum(name.encode()) % PARTITIONS


def test_the_archive_is_complete_without_duplicates(platform: Settings, tmp_path: Path) -> None:
    settings = settings_of(platform, tmp_path)
    killing = Killing(settings, "archive", (topics.SCORES, topics.OUTCOMES), (), PARTITIONS, seed=1)
    rng = np.random.default_rng(1)
    scores = [record(topics.SCORES, 0, score(f"s{i}", T0 + int(rng.integers(4)) * DAY), i % PARTITIONS) for i in range(1500)]
    records = numbered([*scores, *some_outcomes(1500, seed=1)])
    with killing:
        killing.under(records, KILLS + 1)
    good = [entry for entry in records if entry.value != b"{"]
    for topic in (topics.SCORES, topics.OUTCOMES):
        files = sorted((settings.archive / topic).glob("day=*/*.parquet"))
        rows = [pq.read_table(f, columns=["kafka_partition", "kafka_offset"], partitioning=None).to_pylist() for f in files]
        seen = sorted((row["kafka_partition"], row["kafka_offset"]) for part in rows for row in part)
        assert seen == sorted((entry.partition, entry.offset) for entry in good if entry.topic == topic)
        ends = {p: max(o for q, o in seen if q == p) + 1 for p in range(PARTITIONS)}
        assert {p: at.next_offset for p, at in manifest.read(settings.archive).topics[topic].items()} == ends
    assert len(killing.read(topics.DLQ)) == len(records) - len(good)
    compact_all(places(settings))
    assert max(len(list(day.glob("*.parquet"))) for day in (settings.archive / "scores").glob("day=*")) == PARTITIONS


def test_the_online_store_holds_each_cards_newest_score(platform: Settings, tmp_path: Path) -> None:
    settings = settings_of(platform, tmp_path)
    killing = Killing(settings, "feast-writer", (topics.SCORES,), (), PARTITIONS, seed=2)
    times = (T0 + np.random.default_rng(2).permutation(2000) * 1000).tolist()
    records = []
    newest: dict[str, tuple[int, str]] = {}
    for i, at in enumerate(times):
        subject = f"kill-{killing.suffix}-{i % 40}"
        newest[subject] = max(newest.get(subject, (0, "")), (at, f"s{i}"))
        records.append(record(topics.SCORES, 0, score(f"s{i}", at, subject), partition=i % PARTITIONS))
    with killing:
        killing.under(records, KILLS)
    activities = ProfileReader(settings).activity(list(newest))
    assert [activity.event_id if activity else None for activity in activities] == [name for _, name in newest.values()]


def test_each_outcome_comes_once(platform: Settings, tmp_path: Path) -> None:
    settings = settings_of(platform, tmp_path)
    killing = Killing(settings, "label-joiner", (topics.LABELS, topics.SCORES), (topics.OUTCOMES,), PARTITIONS, seed=3)
    unbroken = LabelJoiner(settings.labels.delay_ms)
    expected: list[Outcome] = []
    n = 900

    def scores(numbers: range) -> list[Record]:
        return [record(topics.SCORES, 0, score(f"s{i}", T0 + i * HOUR // 2), partition=i % PARTITIONS) for i in numbers]

    def labels(numbers: range, positive: bool, days: int = 1) -> list[Record]:
        made = [(i, T0 + i * HOUR // 2) for i in numbers]
        return [
            record(topics.LABELS, 0, label(f"s{i}", at, positive, at + days * DAY), partition=i % PARTITIONS) for i, at in made
        ]

    # Labels before their scores, after them, after they have matured, a second time, and contradicting the first: of the same
    # time, newer (one more turn each), and older.
    steps = [
        (labels(range(0, n, 5), True), 0),
        (scores(range(n)), KILLS),
        (labels(range(2, n, 5), True) + labels(range(0, n, 10), False) + labels(range(3, n, 10), False), 1),
        (labels(range(3, n, 20), True) + labels(range(2, n, 20), True), 1),
        (labels(range(0, n, 10), False, 4) + labels(range(2, n, 10), False, 3) + labels(range(0, n, 5), True, 2), 1),
        (labels(range(0, n, 20), True, 5), 0),
        (scores(range(n, 2 * n)), 1),
    ]
    with killing:
        for records, kills in steps:
            killing.under(records, kills)
            expected += [msgspec.json.decode(item.value, type=Outcome) for item in unbroken.process(records).produce]
    outcomes = [msgspec.json.decode(entry.value or b"", type=Outcome) for entry in killing.read(topics.OUTCOMES)]
    assert len({(outcome.event_id, outcome.revision) for outcome in outcomes}) == len(outcomes)
    assert {outcome.revision for outcome in outcomes} == {0, 1, 2, 3}
    assert sorted(map(repr, outcomes)) == sorted(map(repr, expected))
    assert any(outcome.late for outcome in outcomes)
    assert any(outcome.source == "matured" for outcome in outcomes)


def test_tiles_are_right_online_and_offline(platform: Settings, tmp_path: Path) -> None:
    settings = settings_of(platform, tmp_path)
    apply(settings)
    killing = Killing(settings, "counterpart-risk", (topics.OUTCOMES,), (), PARTITIONS, seed=4)
    records = some_outcomes(2500, seed=4)
    with killing:
        killing.under(records, KILLS)

    step = settings.labels.step_hours * HOUR_MS
    # One outcome at a time: every state there ever was; and those that must be there, the last one of each step.
    unbroken = CounterpartRisk(settings.labels.delay_ms, step)
    states: dict[tuple[str, int], tuple[int, list[int]]] = {}
    last: dict[tuple[str, int], int] = {}
    newest: dict[str, list[list[int]]] = {}
    for outcome in records:
        for part in unbroken.process([outcome]).rows:
            for row in part.counterparts:
                states[row.counterpart, row.revision] = row.event_time_ms, row.tiles.reshape(-1).tolist()
                last[row.counterpart, (row.event_time_ms - settings.labels.delay_ms) // step] = row.revision
                newest[row.counterpart] = row.tiles.tolist()
    table = pq.read_table(layout.counterpart_risk_folder(settings), partitioning=None)
    offline = {
        (row["terminal_id"], row["revision"]): (int(row["event_timestamp"].timestamp() * 1000), row["tiles"])
        for row in table.to_pylist()
    }
    assert len(offline) == table.num_rows, "a row is there twice"
    assert offline == {key: states[key] for key in offline}
    assert set(offline) >= {(counterpart, revision) for (counterpart, _), revision in last.items()}
    online = ProfileReader(settings).read([], list(newest))
    for i, tiles in enumerate(newest.values()):
        assert online.tiles[online.begin[i] : online.end[i]].tolist() == tiles


def test_drift_reports_are_neither_lost_nor_repeated(platform: Settings, tmp_path: Path) -> None:
    settings = settings_of(platform, tmp_path, partitions=PARTITIONS, drift=Drift(min_rows=300))
    reference = GivenReferences("v1").get("v1")
    path = StoredReferences(settings).path("v1")
    path.parent.mkdir(parents=True)
    columns = {column: reference.features[:, i] for i, column in enumerate(vector.NAMES)}
    pq.write_table(pa.table({**columns, "score": reference.scores}), path)
    rng = np.random.default_rng(5)
    records: list[Record] = []
    for day in range(6):
        times = times_of(rng, day, 500)
        values = vectors(rng, times)
        values[:, vector.INDEX["amount"]] *= 100 if day == 3 else 1
        records += score_records(times, values, scores_of(rng, values), first=day * 1_000_000)
    records += clock_records(6)
    killing = Killing(
        settings, "drift-monitor", DriftMonitor.inputs, (topics.DRIFT_REPORTS, topics.RETRAIN_REQUESTS), PARTITIONS, 5
    )
    with killing:
        killing.under(records, KILLS)
    unbroken = DriftMonitor(settings, StoredReferences(settings)).process(records)
    expected = [
        msgspec.json.decode(item.value, type=DriftReport) for item in unbroken.produce if item.topic == topics.DRIFT_REPORTS
    ]
    reports = [msgspec.json.decode(entry.value or b"", type=DriftReport) for entry in killing.read(topics.DRIFT_REPORTS)]
    assert [(report.report_id, report.verdict) for report in reports] == [
        (report.report_id, report.verdict) for report in expected
    ]
    assert reports == expected
    assert "data_fault" in {report.verdict for report in reports}
    assert len(reports) >= 6
