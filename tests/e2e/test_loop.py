"""The whole loop once, small: history, a first model that trains itself, live days, a data fault; all parts real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboards.check import check_live
from features.base.settings import FILE_NAME, Settings, load
from features.base.web_client import open_url
from infra.demo.collect import Collected, collect
from infra.demo.tell import toml
from infra.demo.truth import Truth, average_precision
from infra.platform import leftovers, supervisor
from infra.platform import up_down as local
from streams import topics
from streams.kafka.clients import producer
from streams.publish.groups import GROUPS
from streams.publish.lockstep import Lockstep
from streams.publish.probe import control_probe
from streams.publish.publisher import Publisher
from streams.simulate.card_fraud.options import Fault, Options
from streams.simulate.card_fraud.simulation import Simulation

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SUBJECTS = 1200
HISTORY, FAULT, END = 15, 17, 19
MATURED = (HISTORY - 7) * SUBJECTS * 2


class Story:
    """What the loop was given, and what it made of it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.truth = Truth()
        self.published = 0
        self.simulation = Simulation(
            Options(cards=SUBJECTS, terminals=300, seed=11, fraud_rate=0.02, faults=(Fault("location_missing", FAULT, 1.0),))
        )
        lockstep = Lockstep(settings, GROUPS, [control_probe(settings)], timeout_s=300)
        self.publisher = Publisher(settings, lockstep=lockstep)

    def days(self, first: int, end: int) -> None:
        report = self.publisher.publish(self.truth.watch(self.simulation.days(first, end)))
        self.published += report.transactions


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("loop")
    tables: dict[str, dict[str, float]] = {
        "drift": {"min_labels_first": MATURED, "min_positives_first": 50},
        "writers": {"linger_s": 0.1},
        "training": {"epochs": 6},
        "policy": {"min_positives": 20},
    }
    (folder / FILE_NAME).write_text(toml(tables))
    try:
        story = Story(local.up(load(folder)))
        story.days(0, HISTORY)
        _kill_scorer(story.settings)
        story.days(HISTORY, END)
        yield story
    finally:
        local.down(load(folder))
        assert not leftovers.find(load(folder))


@pytest.fixture(scope="module")
def collected(story: Story) -> Collected:
    _send_garbage(story.settings)
    return collect(story.settings)


def _kill_scorer(settings: Settings) -> None:
    pid = supervisor.processes(settings)["scorer"].pid
    os.kill(pid, signal.SIGKILL)


def _send_garbage(settings: Settings) -> None:
    sender = producer(settings)
    sender.produce(topics.EVENTS, b'{"transaction_id": 1}', b"x")
    assert sender.flush(20) == 0
    Lockstep(settings, GROUPS).wait()


def test_each_transaction_has_one_score_though_the_scorer_was_killed(story: Story, collected: Collected) -> None:
    ids = collected.scores.event_id.tolist()
    assert len(ids) == story.published
    assert len(set(ids)) == story.published
    assert collected.counts[topics.DLQ] == 1
    assert 0 < collected.scores.apart.sum() < 0.1 * story.published
    assert np.isnan(collected.scores.score[collected.scores.apart]).all()


def test_the_first_model_trained_itself(collected: Collected) -> None:
    assert [r.cause for r in collected.requests] == ["no_champion"]
    assert [e.state for e in collected.events if e.state != "requested"] == ["running", "registered", "promoted"]
    assert set(collected.scores.version.tolist()) == {"", "v1"}


def test_it_finds_frauds_that_it_has_not_seen(story: Story, collected: Collected) -> None:
    scored = ~np.isnan(collected.scores.score)
    positive = story.truth.of(collected.scores)
    ap = average_precision(positive[scored], collected.scores.score[scored])
    assert ap > 10 * positive[scored].mean()
    assert collected.counts[topics.ALERTS] == collected.scores.alert.sum() > 0


def test_every_matured_transaction_has_an_outcome(story: Story, collected: Collected) -> None:
    times = collected.scores.event_time_ms
    matured = (times < times.max() - story.settings.labels.delay_ms - 86_400_000) & ~collected.scores.apart
    assert matured.sum() <= collected.counts[topics.OUTCOMES] <= story.published


def test_the_data_fault_is_no_reason_to_retrain(story: Story, collected: Collected) -> None:
    start = story.simulation.day_start_ms(FAULT)
    faults = [r for r in collected.reports if r.verdict == "data_fault"]
    assert [(r.window_start_ms, r.window_end_ms) for r in faults] == [(start, start + 86_400_000)]
    assert "location" in json.dumps(faults[0].evidence)


def test_the_archive_holds_each_score_once(story: Story, collected: Collected) -> None:
    import pyarrow.dataset as ds

    archived = ds.dataset(story.settings.archive / "scores", format="parquet").to_table(columns=["transaction_id"])
    assert sorted(archived.column(0).to_pylist()) == sorted(collected.scores.event_id.tolist())


def test_spark_computes_the_same_bits_as_the_stream_that_was_killed(story: Story, collected: Collected) -> None:
    parity = _json(story.settings, "parity")
    assert (parity["vectors"], parity["differing"]) == (story.published, 0)


def test_a_caller_who_knows_only_the_card_gets_a_score(story: Story, collected: Collected) -> None:
    subject = str(collected.scores.subject[~collected.scores.apart][-1])
    answer = _predict(story.settings, {"user_id": subject})
    assert 0.0 <= answer["predictions"][0] <= 1.0
    with pytest.raises(urllib.error.HTTPError) as refused:
        _predict(story.settings, {"user_id": "nobody"})
    assert refused.value.code == 404
    refused.value.close()


def test_each_panel_asks_for_metrics_that_the_processes_expose(story: Story, collected: Collected) -> None:
    assert check_live(story.settings) == []


def test_the_commands_show_it(story: Story, collected: Collected) -> None:
    [model] = _json(story.settings, "models")["versions"]
    assert (model["version"], model["role"]) == ("v1", "champion")
    assert len(_json(story.settings, "alerts", "-n", "5")) == 5
    assert _json(story.settings, "drift")
    assert len(_json(story.settings, "dlq", "list")) == 1
    status = _json(story.settings, "status")
    assert {c["name"]: c["health"] for c in status["components"]} == dict.fromkeys(
        ("kafka", "redis", "model-server", "scorer", "writers", "drift-monitor", "control"), "healthy"
    )


def _predict(settings: Settings, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {settings.token_file.read_text().strip()}", "Content-Type": "application/json"}
    url = f"{settings.rest_url}/v1/models/{settings.model}:predict"
    with open_url(url, 20, headers, json.dumps(body).encode()) as answer:
        prediction: dict[str, Any] = json.load(answer)
    return prediction


def _json(settings: Settings, *command: str) -> Any:
    driftloop = Path(sys.executable).with_name("driftloop")
    deadline = time.monotonic() + 60
    while True:
        done = subprocess.run(
            [driftloop, "--dir", settings.dir, *command, "--json"], capture_output=True, text=True, timeout=180, check=False
        )
        if done.returncode == 0:
            return json.loads(done.stdout)
        assert time.monotonic() < deadline, done.stderr
