"""Stream against Spark: the same bits, and a value that differs is named."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from pyspark.sql import SparkSession

from features.card_state import CardState
from features.columns import from_transactions
from features.events import Score, Transaction
from features.jobs.parity import Parity, compare
from features.transform import update
from features.vector import N_STREAM, NAMES, SCHEMA, packed, unpacked
from streams import topics
from streams.archive import Archived, table
from streams.publish.encode import encode_transactions
from streams.simulate.options import Options
from streams.simulate.simulation import Simulation

pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]  # pyspark's own warnings


@pytest.fixture(scope="module")
def served() -> list[Score]:
    """What a scorer with random batch sizes publishes of eight simulated days with 250 cards."""
    decode = msgspec.json.Decoder(Transaction).decode
    simulation = Simulation(Options(cards=250, terminals=60, seed=3))
    events = [decode(row) for batch in simulation.days(0, 8) for row in encode_transactions(batch.transactions)]
    rng, state, vectors, at = np.random.default_rng(0), CardState(), [], 0
    while at < len(events):
        size = int(rng.integers(1, 400))
        vectors.append(update(state, from_transactions(events[at : at + size])))
        at += size
    rows = [packed(row) for row in np.vstack(vectors)]
    return [Score(event, SCHEMA, row, "unscored") for event, row in zip(events, rows, strict=True)]


def archive(folder: Path, scores: list[Score]) -> Path:
    import pyarrow.parquet as pq

    rows = [Archived(topics.SCORES, 0, offset, score) for offset, score in enumerate(scores)]
    target = folder / "scores" / "day=2026-01-05"
    target.mkdir(parents=True)
    half = len(rows) // 2
    for name, part in (("b", rows[half:]), ("a", rows[:half])):
        pq.write_table(table(topics.SCORES, part), target / f"{name}.parquet")
    return folder


@pytest.mark.parametrize("partitions", [1, 3, 8])
def test_batch_and_stream_agree_to_the_last_bit(
    spark: SparkSession, served: list[Score], tmp_path: Path, partitions: int
) -> None:
    before = spark.conf.get("spark.sql.shuffle.partitions")
    spark.conf.set("spark.sql.shuffle.partitions", partitions)
    try:
        assert compare(spark, archive(tmp_path, served)) == Parity(len(served), N_STREAM, 0, 0.0, [])
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)


def test_the_first_value_that_differs_is_named(spark: SparkSession, served: list[Score], tmp_path: Path) -> None:
    column = NAMES.index("mean_7d")
    vector = unpacked(served[500].features).copy()
    vector[column] = np.nextafter(vector[column], np.float32(np.inf))
    wrong = msgspec.structs.replace(served[500], features=packed(vector))
    scores = [*served[:500], wrong, *served[501:]]
    found = compare(spark, archive(tmp_path, scores))
    assert found.differences == 1
    [first] = found.first
    assert (first.feature, first.transaction_id, first.kafka_offset) == ("mean_7d", wrong.transaction.transaction_id, 500)
    after = compare(spark, tmp_path, start_ms=wrong.transaction.event_time_ms + 1)
    assert after.differences == 0
    assert 0 < after.events < len(served)
