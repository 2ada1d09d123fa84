"""Payments in several currencies on a real broker: the rates grow while the scorer runs and is killed, and Spark computes
the same bits from the archive."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from features.base import kept_rates
from features.base.settings import FILE_NAME, Settings, load
from features.catalogue.vector import N_STREAM
from features.feast_repo.store import apply
from features.jobs.counted import recounted
from features.jobs.parity import compare
from features.jobs.sources import archived
from features.skew.differences import Differences
from streams.kafka.create_topics import create
from streams.publish.lockstep import Lockstep
from streams.scoring.warm_up import warm
from streams.simulate.card_fraud.options import Options
from streams.simulate.card_fraud.simulation import Simulation
from streams.topics import Topic
from tests.integration.test_parity_stream import PARTITIONS, archive, end_of, own_folder, publish, scoring, wait_for
from tests.served import disordered, history

pytestmark = [pytest.mark.integration, pytest.mark.timeout(500), pytest.mark.filterwarnings("ignore")]  # pyspark's own warnings

WORLD, DAYS = Options(cards=150, terminals=120, seed=5, currencies=("EUR", "HUF", "JPY", "KWD")), 20


def test_stream_and_spark_agree_in_several_currencies(platform: Settings, spark: SparkSession, tmp_path: Path) -> None:
    name = uuid.uuid4().hex[:8]
    source, target = f"units-in-{name}", f"units-out-{name}"
    folder = own_folder(platform, tmp_path / "platform").dir
    with (folder / FILE_NAME).open("a") as file:
        file.write('[units]\nrates = "rates.csv"\n')
    world = Simulation(WORLD)
    # Each day but the first five and the last has a rate of its own: those before it are of the first row, the last day of the
    # day before until the table grows.
    early = world.rates(0, 1).replace("2026-01-05", "2025-09-01")
    (folder / "rates.csv").write_text(early + world.rates(5, DAYS - 1).split("\n", 1)[1])
    settings = load(folder)
    assert kept_rates.take(settings, new_platform=True)
    create(settings, [Topic(source, PARTITIONS), Topic(target, PARTITIONS)])
    apply(settings)
    log = disordered(history(WORLD, DAYS, f"units-{name}-")[0], twice=0.0)
    half = len(log) // 2
    warm(settings)  # compiled here, so that no child has to

    with scoring(settings, source, target, seed=1) as first:
        publish(settings, source, log[:half])
        wait_for(first, lambda: end_of(settings, target) > half // 2, 150.0)
    assert first.returncode == -9
    # Rows for days that were scored already, and for days that were not: they count for what is published from their time on.
    (folder / "more.csv").write_text(world.rates(0, DAYS))
    new = kept_rates.add(settings, folder / "more.csv")
    assert {rate.known_ms for rate in new} != {0}
    with scoring(settings, source, target, seed=2) as second:
        Lockstep(settings, {f"scorer-{source}": (source,)}, timeout_s=60).wait()
        publish(settings, source, log[half:])
        Lockstep(settings, {f"scorer-{source}": (source,)}, timeout_s=60).wait()
    assert second.returncode is not None
    scores = archive(settings, target)
    assert len(scores) == len(log)
    assert {score.event.currency for score in scores} == set(WORLD.currencies)  # type: ignore[attr-defined]
    converted = [score for score in scores if score.reference_measure != score.event.measure]
    assert len(converted) > len(scores) / 4
    rows = archived(spark, settings.archive)
    assert compare(rows, settings.features, buckets=4) == Differences(len(log), N_STREAM)
    assert recounted(rows, settings) == (len(log), 0)
