"""Archives as a scorer with random batch sizes would have filled them: simulated payments and the vectors served for them."""

from __future__ import annotations

import zlib

import msgspec
import numpy as np

from features.base.durations import DAY_MS
from features.base.events import Label, Score
from features.base.sections import Features, Labels
from features.base.settings import Settings
from features.catalogue.vector import NAMES, packed, unpacked, vector_schema
from features.domains.card_fraud.event import Payment
from features.history.state import SubjectState
from features.online.cached_reader import Reader
from features.transform.columns import from_events
from features.transform.fill import fill
from features.transform.profiles import unknown
from features.transform.update import update
from streams import topics
from streams.publish.encode import encode_events, encode_labels
from streams.simulate.card_fraud.options import Options
from streams.simulate.card_fraud.simulation import Simulation
from streams.writers.archive import Archived, ArchiveSink


def transactions(options: Options, days: int) -> list[Payment]:
    """The simulated payments of the first ``days``, in event-time order."""
    decode = msgspec.json.Decoder(Payment).decode
    return [decode(row) for batch in Simulation(options).days(0, days) for row in encode_events(batch.transactions)]


def history(options: Options, days: int, prefix: str) -> tuple[list[Payment], list[Label]]:
    """The payments of the first ``days`` and their labels, cards and terminals of the test's own: Redis is for all tests."""
    decode = msgspec.json.Decoder(Label).decode
    events = transactions(options, days)
    labels = [decode(row) for batch in Simulation(options).days(0, days) for row in encode_labels(batch.labels)]
    for event in events:
        event.subject, event.counterpart = prefix + event.subject, prefix + event.counterpart
    for label in labels:
        label.subject, label.counterpart = prefix + label.subject, prefix + label.counterpart
    return events, labels


def disordered(events: list[Payment], seed: int = 0, twice: float = 0.02) -> list[Payment]:
    """In the order of a log that careless producers filled: one payment in 25 comes up to a day late, one in 50 up to a month and
    one in 500 up to 96 days, behind newer ones of its card; and the share ``twice`` of them comes again within half a day.
    """
    rng = np.random.default_rng(seed)
    time = np.array([event.event_time_ms for event in events], dtype=np.float64)
    dice = rng.random(len(events))
    days = np.zeros(len(events))
    for below, least, most in ((0.062, 0.0, 1.0), (0.022, 1.0, 30.0), (0.002, 30.0, 96.0)):
        days = np.where(dice < below, rng.uniform(least, most, len(events)), days)
    comes = time + days * DAY_MS
    again = np.flatnonzero(rng.random(len(events)) < twice)
    which = np.concatenate([np.arange(len(events)), again])
    order = np.argsort(np.concatenate([comes, comes[again] + rng.uniform(0, DAY_MS / 2, len(again))]), kind="stable")
    return [events[i] for i in which[order].tolist()]


def served(
    events: list[Payment],
    partitions: int = 2,
    seed: int = 0,
    features: Features | None = None,
    profiles: Reader | None = None,
    labels: Labels | None = None,
) -> list[Archived]:
    """What is archived of them, each card in a partition of its own choice, in the order of the log.

    ``profiles``: what the scorer would read of cards and terminals, None for an online store that is empty.
    """
    labels = labels or Labels()
    features = features or Features()
    rng, states = np.random.default_rng(seed), [SubjectState() for _ in range(partitions)]
    rows: list[Archived] = []
    offsets = [0] * partitions
    at = 0
    while at < len(events):
        batch = events[at : at + int(rng.integers(1, 400))]
        at += len(batch)
        of = [zlib.crc32(event.subject.encode()) % partitions for event in batch]
        for partition in range(partitions):
            mine = [event for event, chosen in zip(batch, of, strict=True) if chosen == partition]
            columns = from_events(mine)
            vectors = update(states[partition], columns, features.measure_limit)
            known = unknown(len(mine))
            if profiles is not None:
                known = profiles.read(columns.subject, [event.counterpart for event in mine], columns.event_time_ms).profiles
            fill(vectors, columns, known, labels.delay_ms, labels.step_hours)
            for event, vector in zip(mine, vectors, strict=True):
                score = Score(event, event.subject, vector_schema(features), packed(vector), "unscored")
                rows.append(Archived(topics.SCORES, partition, offsets[partition], score))
                offsets[partition] += 1
    return rows


def archive(settings: Settings, rows: list[Archived]) -> None:
    """Write the rows as the archive processor does, in three batches."""
    sink = ArchiveSink(settings)
    for part in range(3):
        sink.write(rows[part * len(rows) // 3 : (part + 1) * len(rows) // 3])


def tampered(rows: list[Archived], at: int, feature: str) -> list[Archived]:
    """The rows with one value of the vector ``at`` moved by one bit."""
    row = rows[at]
    assert isinstance(row.event, Score)
    vector = unpacked(row.event.features).copy()
    column = NAMES.index(feature)
    vector[column] = np.nextafter(vector[column], np.float32(np.inf))
    event = msgspec.structs.replace(row.event, features=packed(vector))
    return [*rows[:at], Archived(row.topic, row.partition, row.offset, event), *rows[at + 1 :]]
