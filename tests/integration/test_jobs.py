"""The Spark jobs on a real session: which rows are learned from, and what a profile holds."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from features.base.durations import DAY_MS, HOUR_MS
from features.catalogue.vector import SCHEMA
from features.jobs.daily_profiles import Habits, daily_profiles
from features.jobs.labelled_rows import OUTCOMES, SCORES, clean_scores, training_rows
from features.jobs.spark_session import jvm_usage
from features.transform.columns import category_number, counterpart_number
from features.transform.profiles import CATEGORIES, CATEGORY_MEANS, COUNT, HOME_LAT, HOME_LON, HOUR_SHARES, MEAN_MEASURE

pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]  # pyspark's own warnings


def _score(
    name: str,
    time: int,
    subject: str = "c",
    amount: int = 100,
    mode: str = "chip",
    schema: str = SCHEMA,
    kind: str | None = None,
) -> tuple[object, ...]:
    place = (None, None) if mode == "online" else (float(time // DAY_MS), 10.0)
    return (name, time, subject, "t", amount, "EUR", *place, None, None, mode, None, kind, amount, None, schema, [1.0])


def test_rows_are_labelled_by_the_newest_outcome(spark: SparkSession) -> None:
    scores = spark.createDataFrame(
        [
            _score("genuine", 10),
            _score("corrected", 20),
            _score("silent-and-old", 30),
            _score("excluded", 40),
            _score("excluded-end", 45),
            _score("silent-and-young", 80),
            _score("early-fraud", 90),
            _score("too-late", 101),
            _score("too-early", 1),
            _score("foreign", 50, schema="other"),
            _score("given-back", 85, kind="refund"),
            _score("in-vain", 86, kind="declined"),
            _score("named", 87, kind="purchase"),
            _score("reversed", 21),
            _score("reversed-later", 22),
            _score("charged-again", 23),
            _score("stamped-before-it-matured", 24),
        ],
        SCORES,
    )
    outcomes = spark.createDataFrame(
        [
            # None: rows of the time before there were revisions.
            ("genuine", 60, False, False, None),
            ("corrected", 60, False, False, None),
            ("corrected", 60, True, True, None),
            ("excluded", 60, True, False, 1),
            ("excluded-end", 60, True, False, 1),
            ("early-fraud", 95, True, False, None),
            ("too-early", 60, False, False, 0),
            ("reversed", 40, True, False, None),
            ("reversed", 60, False, True, 2),
            ("reversed-later", 40, True, False, 1),
            ("reversed-later", 101, False, True, 2),
            ("charged-again", 60, False, True, 2),
            ("charged-again", 70, True, True, 3),
            ("charged-again", 40, True, False, 1),
            ("stamped-before-it-matured", 60, False, False, 0),
            ("stamped-before-it-matured", 50, True, True, 1),
        ],
        OUTCOMES,
    )
    clean = clean_scores(scores, SCHEMA, end_ms=100, exclude=[(40, 45)])
    rows = (
        training_rows(clean, outcomes, start_ms=5, settled_ms=70, known_ms=100)
        .select("transaction_id", "positive", "known")
        .collect()
    )
    assert {tuple(row) for row in rows} == {
        ("genuine", False, True),
        ("corrected", True, True),
        ("excluded-end", True, True),
        ("silent-and-young", False, False),
        ("named", False, False),
        ("early-fraud", True, True),
        ("reversed", False, True),
        ("reversed-later", True, True),
        ("charged-again", True, True),
        ("stamped-before-it-matured", True, True),
    }
    assert all(value > 0 for value in jvm_usage(spark))


def test_a_profile_is_what_was_known_at_the_end_of_the_day(spark: SparkSession) -> None:
    day = DAY_MS
    scores = spark.createDataFrame(
        [
            _score("a", 2 * day, amount=100),
            _score("b", 2 * day + 1, amount=300, mode="online"),
            _score("c", 4 * day + 5, amount=500),
            _score("d", 6 * day, amount=900),
            _score("e", 2 * day, subject="other", mode="online"),
        ],
        SCORES,
    )
    rows = {(r.card_id, r.event_time_ms): r for r in daily_profiles(scores, end_ms=6 * day + 10).collect()}
    # Day 6 has not ended.
    assert set(rows) == {("c", 3 * day), ("c", 5 * day), ("other", 3 * day)}
    first, later, other = (rows[key].profile for key in (("c", 3 * day), ("c", 5 * day), ("other", 3 * day)))
    assert first[:4] == [2.0, 10.0, 2.0, 2.0]
    assert (later[HOME_LAT], later[MEAN_MEASURE], later[COUNT]) == (3.0, 3.0, 3.0)
    # What is NaN within a list comes back from Spark as null.
    assert (other[HOME_LAT], other[HOME_LON], other[MEAN_MEASURE]) == (None, None, 1.0)


def test_habits_are_hours_categories_and_terminals_most_used_first() -> None:
    habits = Habits()
    for hour, amount, counterpart, category in (
        (3, 100, "b", "grocery"),
        (3, 300, "b", "fuel"),
        (23, 500, "a", "grocery"),
        (0, 8, "c", None),
    ):
        habits.add(hour * HOUR_MS, amount, counterpart, category, None)
    profile, usual = habits.profile()
    shares = profile[HOUR_SHARES:CATEGORY_MEANS].tolist()
    assert {hour: share for hour, share in enumerate(shares) if share} == {0: 0.25, 3: 0.5, 23: 0.25}
    assert usual[:3].tolist() == [category_number("grocery"), category_number("fuel"), 0]
    assert profile[CATEGORY_MEANS : CATEGORY_MEANS + 3].tolist() == [3.0, 3.0, 0.0]
    assert usual[CATEGORIES : CATEGORIES + 4].tolist() == [*map(counterpart_number, "bac"), 0]
