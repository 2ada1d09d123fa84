"""What is told: the history, what is done to it and when, and the settings that fit its size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from features.base.durations import DAY_MS
from streams.publish.batch import Batch


@dataclass(frozen=True)
class Injection:
    """Something done to the stream in [start_ms, end_ms) of event time; ``end_ms`` None: it lasts."""

    kind: str
    start_ms: int
    end_ms: int | None
    meaning: str


@dataclass(frozen=True)
class Story:
    """Days of transactions, and what happens to them. ``settings`` are the tables of the platform's ``driftloop.toml``."""

    title: str
    batches: Iterator[Batch]
    days: int
    injections: tuple[Injection, ...]
    settings: dict[str, dict[str, float]]
    #: Broken records that are published besides, to see them in the DLQ.
    malformed: tuple[bytes, ...] = ()


MALFORMED = (
    b'{"transaction_id": "broken-1", "event_time_ms": 1',
    b'{"transaction_id": "broken-2", "event_time_ms": "soon", "card_id": "c1", "terminal_id": "m1", "amount_minor": 1}',
    b"\x00\xff\xfe not JSON at all",
)

HISTORY_DAYS = 30
FAULT_DAY = 37
DRIFT_DAY = 42
END_DAY = 62


def simulated(cards: int, seed: int) -> Story:
    """Tell 62 simulated days: 30 to learn from, a data fault on day 37, and from day 42 on frauds of a kind nobody has seen."""
    from streams.simulate.card_fraud.options import Fault, Options, PatternDrift
    from streams.simulate.card_fraud.simulation import Simulation

    options = Options(
        cards=cards,
        terminals=max(200, cards // 4),
        seed=seed,
        faults=(Fault("location_missing", FAULT_DAY, 1.0),),
        drifts=(PatternDrift("stolen_card", False, DRIFT_DAY), PatternDrift("merchant_collusion", True, DRIFT_DAY)),
    )
    simulation = Simulation(options)
    start = simulation.day_start_ms(0)
    # Outcomes mature a week late: by day 30 those of 23 days are there.
    labels = int(0.97 * (HISTORY_DAYS - 7) * cards * options.rate)
    return Story(
        title=f"{cards} simulated cards over {END_DAY} days",
        batches=simulation.days(0, END_DAY),
        days=END_DAY,
        injections=(
            Injection(
                "data_fault",
                start + FAULT_DAY * DAY_MS,
                start + (FAULT_DAY + 1) * DAY_MS,
                "producers stop sending the location for a day",
            ),
            Injection(
                "concept_drift",
                start + DRIFT_DAY * DAY_MS,
                None,
                "one fraud pattern dies (stolen_card), another is born (merchant_collusion)",
            ),
        ),
        settings={
            "drift": {"min_labels_first": labels, "min_positives_first": 100},
            "labels": {"step_hours": 24},
            "writers": {"linger_s": 0.1},
            "training": {"days": 45.0},
            "policy": {"cooldown_hours": 120.0},
        },
        malformed=MALFORMED,
    )


def replayed(path: Path, days: int | None) -> Story:
    """Tell a file's first weeks as history, then live days with labels 7 days late and retraining every two weeks of event time.

    Raises ReplayError where the file is not one of transactions, or is too short.
    """
    from streams.replay.errors import ReplayError
    from streams.replay.replay import Replay

    replay = Replay(path, label_delay_days=7.0)
    first, last, rows = replay.extent()
    file_days = (last - first).days + 1
    total = min(days or file_days, file_days)
    if total <= HISTORY_DAYS:
        raise ReplayError(
            f"{path.name}: {total} days are too few; the demo learns from {HISTORY_DAYS} and then goes on, so ask for more"
        )
    replay.check(first, first + timedelta(days=total - 1))
    return Story(
        title=f"{path.name}, {total} days from {first}",
        batches=replay.batches(first, first + timedelta(days=total - 1)),
        days=total,
        injections=(),
        settings={
            "drift": {"min_labels_first": int((HISTORY_DAYS - 7) * rows / file_days), "min_positives_first": 100},
            "labels": {"step_hours": 24},
            "writers": {"linger_s": 0.1},
            "training": {"days": 60.0},
            "policy": {"cooldown_hours": 240.0, "schedule_days": 14.0},
        },
    )
