"""Scores and outcomes with realistic marginals: heavy-tailed amounts, quiet nights, other weekends, 0.8 % of fraud."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.base.durations import DAY_MS
from features.base.events import DriftReport, ModelEvent, ModelState, Outcome, RetrainRequest, Score
from features.base.sections import Drift
from features.base.settings import Settings
from features.catalogue import vector
from features.domains.card_fraud.event import Payment
from streams import topics
from streams.drift.data.columns import MODE_NAMES
from streams.drift.monitor import DriftMonitor
from streams.drift.references import Reference, ReferenceUnusable
from streams.engine.core import Output
from streams.kafka.records import Record

#: A Monday.
START_MS = 19_905 * DAY_MS
Vectors = NDArray[np.float32]
Change = Callable[[Vectors, NDArray[np.int64]], None]
_encode = msgspec.json.encode
_HOURLY = np.array([2, 1, 1, 1, 1, 2, 4, 7, 9, 10, 10, 11, 12, 11, 10, 10, 11, 12, 12, 11, 9, 7, 5, 3], dtype=float)


def times_of(rng: np.random.Generator, day: int, rows: int) -> NDArray[np.int64]:
    """Sorted event times of one day, most of them by daylight."""
    hours = rng.choice(24, rows, p=_HOURLY / _HOURLY.sum())
    return np.sort(START_MS + day * DAY_MS + hours * 3_600_000 + rng.integers(0, 3_600_000, rows))


def vectors(rng: np.random.Generator, times: NDArray[np.int64], amounts: float = 1.0, earlier_amounts: float = 1.0) -> Vectors:
    """Vectors [n, WIDTH]; ``amounts`` multiplies this transaction's amount, ``earlier_amounts`` the history's."""
    n = len(times)
    day = (times // DAY_MS + 3) % 7
    hour = times % DAY_MS / 3_600_000
    weekend = day >= 5
    usual = rng.lognormal(3.3, 0.6, n)
    amount = usual * rng.lognormal(0.0, 0.75, n) * amounts * np.where(weekend, 1.15, 1.0)
    before = rng.poisson(1.4, n)
    earlier = usual * rng.lognormal(0.2, 0.4, n) * earlier_amounts
    online = rng.random(n) < np.where(hour < 6, 0.75, np.where(weekend, 0.35, 0.28))
    mode = np.where(online, 4, rng.choice(4, n, p=[0.3, 0.6, 0.06, 0.04]))
    located = np.where(mode == 4, rng.random(n) < 0.6, rng.random(n) < 0.97)
    values = np.zeros((n, vector.WIDTH), dtype=np.float32)

    def put(name: str, column: NDArray[np.generic]) -> None:
        values[:, vector.INDEX[name]] = column

    put("amount", amount)
    put("hour", hour)
    put("weekend", weekend)
    put("night", hour < 6)
    for code, name in enumerate(MODE_NAMES):
        put(name, mode == code)
    put("used_pin_number", np.where(mode == 0, 1.0, np.where(mode == 4, -1.0, 0.0)))
    put("has_location", located)
    put("count_1h", 1 + rng.poisson(0.15, n))
    put("count_1d", 1 + before)
    put("sum_1d", amount + before * earlier)
    put("mean_1d", (amount + before * earlier) / (1 + before))
    put("ratio_to_mean_30d", amount / (usual * earlier_amounts * rng.lognormal(0.25, 0.2, n)))
    put("seconds_since_last", rng.exponential(30_000, n))
    put("distance_from_last_transaction", np.where(located, rng.lognormal(1.2, 1.1, n), -1.0))
    put("distance_from_home", np.where(located, rng.lognormal(1.5, 1.0, n), -1.0))
    put("ratio_to_usual_amount", amount / (usual * 1.3))
    return values


def scores_of(rng: np.random.Generator, values: Vectors) -> NDArray[np.float32]:
    """What a model might make of them: mostly near 0, more for amounts above the card's habit."""
    odds = -5.5 + 1.2 * np.log(values[:, vector.INDEX["ratio_to_mean_30d"]]) + rng.normal(0, 1.0, len(values))
    return (1.0 / (1.0 + np.exp(-odds))).astype(np.float32)


class GivenReferences:
    """References held in memory."""

    def __init__(self, *versions: str, rows: int = 20_000) -> None:
        rng = np.random.default_rng(99)
        times = np.concatenate([times_of(rng, day, rows // 28) for day in range(-28, 0)])
        values = vectors(rng, times)
        self._by_version = {version: Reference(version, values, scores_of(rng, values)) for version in versions}

    def get(self, version: str) -> Reference:
        if version not in self._by_version:
            raise ReferenceUnusable(f"{version} has no reference.parquet in the model store; train it again to get one")
        return self._by_version[version]


def settings_for(folder: Path, drift: Drift | None = None, partitions: int = 2) -> Settings:
    return Settings(dir=folder, partitions=partitions, drift=drift or Drift())


def score_records(
    times: NDArray[np.int64],
    values: Vectors,
    scores: NDArray[np.float32] | None,
    version: str | None = "v1",
    partitions: int = 2,
    first: int = 0,
) -> list[Record]:
    """Records of ``scores``, spread over the partitions; ``first`` makes the transaction ids differ between calls."""
    records = []
    for i, time in enumerate(times.tolist()):
        amount = float(values[i, 0])
        score = Score(
            event=Payment(f"t{first + i}", time, f"c{i % 997}", f"m{i % 89}", round(amount * 100)),
            subject=f"c{i % 997}",
            schema=vector.SCHEMA,
            features=vector.packed(values[i]),
            decision="unscored" if scores is None else "pass",
            score=None if scores is None else float(scores[i]),
            threshold=None if scores is None else 0.5,
            model="fraud",
            model_version=None if scores is None else version,
        )
        records.append(Record(topics.SCORES, i % partitions, first + i, None, _encode(score)))
    return records


def outcome_records(
    rng: np.random.Generator,
    day: int,
    positives: int,
    missed: float,
    negative: int = 200,
    version: str | None = "v1",
    source: Literal["chargeback", "analyst"] = "chargeback",
    partitions: int = 2,
) -> list[Record]:
    """Outcomes that become known on ``day``: labelled frauds of that day, of which the share ``missed`` lies below the
    threshold, and transactions of a week before that mature as genuine."""
    records = []
    for i in range(positives + negative):
        positive = i < positives
        known = START_MS + day * DAY_MS + int(rng.integers(0, DAY_MS))
        score = float(rng.beta(1, 12) * 0.5 if not positive or rng.random() < missed else rng.beta(6, 2) * 0.5 + 0.5)
        outcome = Outcome(
            event_id=f"o{day}-{i}",
            subject=f"c{i}",
            counterpart=f"m{i}",
            event_time_ms=known - (DAY_MS // 3 if positive else 7 * DAY_MS),
            outcome_time_ms=known,
            positive=positive,
            source=source if positive else "matured",
            score=None if version is None else score,
            threshold=None if version is None else 0.5,
            model_version=version,
        )
        records.append((known, Record(topics.OUTCOMES, i % partitions, day * 100_000 + i, None, _encode(outcome))))
    return [record for _, record in sorted(records, key=lambda item: item[0])]


def clock_records(day: int, partitions: int = 2) -> list[Record]:
    """One unremarkable score and outcome in each partition at the start of ``day``: the watermarks move there."""
    time = START_MS + day * DAY_MS
    rng = np.random.default_rng(day)
    times = np.full(partitions, time)
    records = score_records(times, vectors(rng, times), None, partitions=partitions, first=day * 1_000_000 + 900_000)
    for partition in range(partitions):
        outcome = Outcome(f"k{day}-{partition}", "c", "m", time - 7 * DAY_MS, time, False, "matured")
        records.append(Record(topics.OUTCOMES, partition, 0, None, _encode(outcome)))
    return records


def event_record(state: ModelState, day: float, version: str | None = None, key: str | None = None) -> Record:
    event = ModelEvent("fraud", state, START_MS + int(day * DAY_MS), 0, idempotency_key=key, version=version)
    return Record(topics.MODEL_EVENTS, 0, 0, None, _encode(event))


@dataclass
class Run:
    """A monitor, and all that it has said."""

    monitor: DriftMonitor
    seed: int = 1
    reports: list[DriftReport] = field(default_factory=list)
    requests: list[RetrainRequest] = field(default_factory=list)
    letters: int = 0

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def feed(self, records: list[Record], batch: int = 4000) -> None:
        for i in range(0, len(records), batch):
            self.hear(self.monitor.process(records[i : i + batch]))

    def hear(self, output: Output) -> None:
        for item in output.produce:
            if item.topic == topics.DRIFT_REPORTS:
                self.reports.append(msgspec.json.decode(item.value, type=DriftReport))
            elif item.topic == topics.RETRAIN_REQUESTS:
                self.requests.append(msgspec.json.decode(item.value, type=RetrainRequest))
            else:
                self.letters += 1

    def score_day(
        self,
        day: int,
        rows: int = 1500,
        version: str | None = "v1",
        amounts: float = 1.0,
        earlier_amounts: float = 1.0,
        change: Change | None = None,
    ) -> None:
        """A day of scores; ``change`` may spoil the vectors before they are scored."""
        times = times_of(self.rng, day, rows)
        values = vectors(self.rng, times, amounts, earlier_amounts)
        if change is not None:
            change(values, times)
        scores = None if version is None else scores_of(self.rng, values)
        self.feed(score_records(times, values, scores, version, first=day * 1_000_000))

    def verdicts(self, kind: str = "data") -> list[str]:
        return [report.verdict for report in self.reports if report.kind == kind]
