"""What must hold of all that follows from the scores."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq

from features.archive import manifest
from features.base.events import Alert, DeadLetter, DriftReport, Label, Outcome, RetrainRequest, Score
from features.base.settings import Settings
from features.catalogue.vector import unpacked
from features.online.store import ProfileReader
from streams import topics
from streams.kafka.records import Record
from tests.chaos.logs import committed

#: Counts for the report, and what does not hold, in words.
Found = tuple[dict[str, int], list[str]]
Scores = dict[int, list[Score]]
Log = dict[int, list[Record]]


def alerts(settings: Settings, scores: Scores) -> Found:
    """One for each alerting score."""
    decode = msgspec.json.Decoder(Alert).decode
    raw = committed(settings, topics.ALERTS, settings.partitions)
    alerts = Counter(decode(record.value or b"").event.event_id for records in raw.values() for record in records)
    wanted = Counter(s.event.event_id for part in scores.values() for s in part if s.decision == "alert")
    wrong = [] if alerts == wanted else [f"alerts: {sum(alerts.values())}, alerting scores: {sum(wanted.values())}"]
    return {"alerts": sum(alerts.values())}, wrong


def dead_letters(settings: Settings, bad: Counter[tuple[int, int]]) -> Found:
    """One for each bad record, by its place, and for nothing else."""
    decode = msgspec.json.Decoder(DeadLetter).decode
    letters = [decode(record.value or b"") for records in committed(settings, topics.DLQ, 1).values() for record in records]
    places = Counter((letter.partition, letter.offset) for letter in letters if letter.topic == topics.EVENTS)
    wrong = []
    if places != bad:
        wrong.append(f"dead letters: {sum(places.values())}, bad records: {sum(bad.values())}")
    others = [letter for letter in letters if letter.topic != topics.EVENTS]
    if others:
        wrong.append(f"dead letters of good records: {len(others)}, the first by {others[0].processor}: {others[0].message}")
    return {"dead letters": sum(places.values())}, wrong


def outcomes(settings: Settings, scores: Scores, raw: Log, given: Log) -> Found:
    """One outcome for each label whose payment was scored; one for each payment without a label that was due by the time of its
    partition, and for no other."""
    made = [msgspec.json.decode(record.value or b"", type=Outcome) for part in raw.values() for record in part]
    labels = [msgspec.json.decode(record.value or b"", type=Label) for part in given.values() for record in part]
    scored = {score.event.event_id for part in scores.values() for score in part if score.decision != "apart"}
    wanted = Counter((label.event_id, label.positive) for label in labels if label.event_id in scored)
    labelled = Counter((o.event_id, o.positive) for o in made if o.source != "matured")
    wrong = [] if labelled == wanted else [f"labelled outcomes: {sum(labelled.values())}, labels: {sum(wanted.values())}"]
    due = _due(scores, {label.event_id for label in labels}, settings.labels.delay_ms)
    matured = Counter((o.event_id, o.outcome_time_ms) for o in made if o.source == "matured")
    if matured != due:
        wrong.append(f"matured outcomes: {sum(matured.values())}, due: {sum(due.values())}")
    return {"labels": len(labels), "labelled outcomes": sum(labelled.values()), "matured outcomes": sum(matured.values())}, wrong


def _due(scores: Scores, labelled: set[str], delay_ms: int) -> Counter[tuple[str, int]]:
    """(event_id, when it matured) of what nobody labelled and what is old enough in its partition."""
    due: Counter[tuple[str, int]] = Counter()
    for part in scores.values():
        newest_ms = max((score.event.event_time_ms for score in part), default=0)
        for score in part:
            at = score.event.event_time_ms + delay_ms
            if at <= newest_ms and score.event.event_id not in labelled and score.decision != "apart":
                due[score.event.event_id, at] += 1
    return due


def archived(settings: Settings, topic: str, raw: Log, columns: tuple[str, ...]) -> Found:
    """Each record of the topic in one row of its place, with these values of its event; and the manifest reaches its end."""
    rows: Counter[tuple[Any, ...]] = Counter()
    names = ["kafka_partition", "kafka_offset", *columns]
    for path in sorted((settings.archive / topic).rglob("*.parquet")):
        table = pq.read_table(path, columns=names)
        rows.update(zip(*(table[name].to_pylist() for name in names), strict=True))
    wanted = Counter(
        (record.partition, record.offset, *(_value(record, name) for name in columns)) for part in raw.values() for record in part
    )
    wrong = [] if rows == wanted else [f"archived {topic}: {sum(rows.values())}, in the log: {sum(wanted.values())}"]
    through = manifest.read(settings.archive).topics.get(topic, {})
    for partition, records in raw.items():
        end = records[-1].offset + 1 if records else 0
        archived_to = through[partition].next_offset if partition in through else 0
        if archived_to != end:
            wrong.append(f"the manifest says that {topic}[{partition}] is archived up to {archived_to}, and it ends at {end}")
    return {f"archived {topic}": sum(rows.values())}, wrong


def _value(record: Record, name: str) -> Any:
    fields = msgspec.json.decode(record.value or b"")
    return fields["event"][name] if name not in fields else fields[name]


def online(settings: Settings, scores: Scores) -> Found:
    """The vector of each card's newest purchase is what the online store holds."""
    newest: dict[str, Score] = {}
    for part in scores.values():
        for score in part:
            if score.decision == "apart":
                continue
            held = newest.get(score.event.subject)
            if held is None or score.event.event_time_ms >= held.event.event_time_ms:
                newest[score.event.subject] = score
    reader = ProfileReader(settings)
    rows = reader.activity(list(newest))
    reader.close()
    wrong = 0
    for score, row in zip(newest.values(), rows, strict=True):
        wrong += (
            row is None
            or row.event_time_ms != score.event.event_time_ms
            or not np.array_equal(row.vector, unpacked(score.features))
        )
    return {"cards online": len(newest)}, [f"cards whose online vector is not their newest: {wrong}"] if wrong else []


def reports(settings: Settings) -> Found:
    """Each drift report and each request once, and the windows of one version follow each other without a gap."""
    raw = committed(settings, topics.DRIFT_REPORTS, 1)[0]
    made = [msgspec.json.decode(record.value or b"", type=DriftReport) for record in raw]
    asked = [msgspec.json.decode(r.value or b"", type=RetrainRequest) for r in committed(settings, topics.RETRAIN_REQUESTS, 1)[0]]
    wrong = []
    if len({report.report_id for report in made}) != len(made):
        wrong.append("drift reports: some came twice")
    if len({request.idempotency_key for request in asked}) != len(asked):
        wrong.append("retrain requests: some came twice")
    windows = sorted((report.window_start_ms, report.window_end_ms) for report in made if report.kind == "data")
    wrong += [
        f"drift reports: a window ends at {a[1]}, and the next begins at {b[0]}" for a, b in pairwise(windows) if a[1] != b[0]
    ]
    return {"drift reports": len(made)}, wrong
