"""The second domain through the real loop: a shop's clicks are scored, labelled, learned from, and items are recommended.

The loop runs in processes of its own, for this one serves another domain. Its broker is also the one of a platform for card
fraud: topics, groups and transactional ids of the shop have a prefix.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from features.base.settings import FILE_NAME, Settings, SettingsError, load
from features.domains.clicks import DOMAIN
from infra.demo.tell import toml
from retrain.control.faust.topics import RUNS_CHANGELOG
from streams import topics
from streams.kafka import clients
from streams.publish.groups import GROUPS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

USERS, RATE, LEARNED_DAYS, LIVE_DAYS = 500, 5, 6, 2
TABLES: dict[str, dict[str, Any]] = {
    "labels": {"delay_days": 1.0},
    "drift": {"min_labels_first": 9000, "min_positives_first": 200, "consecutive_windows": 99},
    "writers": {"linger_s": 0.1},
    "training": {"epochs": 6, "review_budget": 0.05},
    "skew": {"subjects": 0},
    "topics": {"replication_factor": 1},
}
PREFIX = "shop."


def positives(outcomes: pa.Table) -> int:
    return int(outcomes.column("positive").to_numpy().sum())


@dataclass
class Shop:
    """A platform's folder, and how many clicks and purchases were published there."""

    folder: Path
    clicks: int = 0
    purchases: int = 0
    outputs: list[str] = field(default_factory=list)

    def driftloop(self, *arguments: str, timeout: float = 200.0, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "infra.cli.main", "--dir", str(self.folder), *arguments],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def answer(self, *arguments: str) -> Any:
        done = self.driftloop(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def simulate(self, first: int, days: int, *more: str) -> None:
        size = ["--subjects", str(USERS), "--counterparts", "200", "--rate", str(RATE), "--lockstep", "1d"]
        done = self.driftloop("simulate", "--from-day", str(first), "--days", str(days), *size, *more)
        assert done.returncode == 0, done.stderr
        published = re.match(r"([\d,]+) clicks \(([\d,]+) purchases\)", done.stdout)
        assert published, done.stdout
        self.clicks += int(published[1].replace(",", ""))
        self.purchases += int(published[2].replace(",", ""))

    def archived(self, kind: str, columns: list[str], rows: int, where: Callable[[pa.Table], int] = len) -> dict[str, Any]:
        """Columns of the archive, as soon as it has so many rows, or so many by ``where``."""
        deadline = time.monotonic() + 60
        while True:
            table = ds.dataset(self.folder / "archive" / kind, format="parquet").to_table(columns=columns)
            if where(table) >= rows or time.monotonic() > deadline:
                return {name: table.column(name).to_numpy() for name in columns}
            time.sleep(0.2)


@pytest.fixture(scope="module")
def shop(platform: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    top = {"domain": "clicks", "model": "recommender", "topic_prefix": PREFIX, "bootstrap_servers": platform.bootstrap}
    lines = [f'{name} = "{value}"' for name, value in top.items()]
    (folder / FILE_NAME).write_text("\n".join([*lines, "partitions = 2", toml(TABLES)]))
    shop = Shop(folder)
    try:
        up = shop.driftloop("up")
        assert up.returncode == 0, up.stderr
        shop.simulate(0, LEARNED_DAYS)
        shop.simulate(LEARNED_DAYS, LIVE_DAYS, "--resume", "--all-labels")
        yield shop
    finally:
        down = shop.driftloop("down")
        assert down.returncode == 0, down.stderr


def test_each_click_is_scored_once(shop: Shop) -> None:
    assert abs(shop.clicks - 20_000) < 600
    assert 0.04 < shop.purchases / shop.clicks < 0.06
    ids = shop.archived("scores", ["click_id"], shop.clicks)["click_id"]
    assert len(ids) == shop.clicks == len(set(ids.tolist()))


def test_orders_and_silence_become_outcomes(shop: Shop) -> None:
    matured = shop.clicks * (LEARNED_DAYS + LIVE_DAYS - 1) // (LEARNED_DAYS + LIVE_DAYS) - 600
    outcomes = shop.archived("outcomes", ["event_id", "positive", "source"], shop.purchases, positives)
    bought = outcomes["positive"].astype(bool)
    assert matured <= len(set(outcomes["event_id"].tolist())) <= shop.clicks
    assert bought.sum() == shop.purchases
    assert set(outcomes["source"][bought]) == {"order"}
    assert set(outcomes["source"][~bought]) == {"matured", "basket"}


def test_the_first_model_trained_itself_and_is_served(shop: Shop) -> None:
    models = shop.answer("models")
    (version,) = models["versions"]
    assert (version["version"], version["role"], version["model"]) == ("v1", "champion", "recommender")
    assert version["schema"].startswith("clicks_v1-")
    assert models["serving"]["champion"] == "v1"
    assert shop.answer("dlq", "list") == []


def test_items_are_recommended_that_are_bought(shop: Shop) -> None:
    alerts = shop.answer("alerts", "-n", "5000")
    scores = shop.archived("scores", ["click_id", "decision"], shop.clicks)
    assert sorted(a["event"]["click_id"] for a in alerts) == sorted(scores["click_id"][scores["decision"] == "alert"].tolist())
    assert len(alerts) > 20
    assert {a["model_version"] for a in alerts} == {"v1"}
    codes = {reason.code for reason in DOMAIN.reasons}
    assert {code for a in alerts for code in a["reasons"]} <= codes
    assert sum(bool(a["reasons"]) for a in alerts) > len(alerts) / 2
    outcomes = shop.archived("outcomes", ["event_id", "positive"], shop.purchases, positives)
    bought = set(outcomes["event_id"][outcomes["positive"].astype(bool)].tolist())
    hits = np.mean([a["event"]["click_id"] in bought for a in alerts])
    assert hits > 3 * shop.purchases / shop.clicks, hits


def test_the_broker_is_shared_and_nothing_of_the_others_is_touched(shop: Shop, platform: Settings) -> None:
    admin = clients.admin(platform)
    existing = {name for name in admin.list_topics(timeout=10).topics if not name.startswith("__")}
    plain = {*topics.NAMES, RUNS_CHANGELOG}
    assert {name for name in existing if name.startswith(PREFIX)} == {
        PREFIX + ("clicks" if name == topics.EVENTS else name) for name in plain
    }
    assert "clicks" not in existing
    groups = {group.group_id for group in admin.list_consumer_groups(request_timeout=10).result().valid}
    assert {f"{PREFIX}{name}" for name in (*GROUPS,)} <= groups
    shown = shop.answer("status")
    assert all(group.startswith(PREFIX) for group in shown["lag"])


def test_people_read_words_of_the_shop(shop: Shop) -> None:
    shown = shop.driftloop("alerts", "-n", "3", COLUMNS="200").stdout
    assert "user" in shown
    assert "item" in shown
    assert "dwell time" in shown
    assert "card" not in shown


def test_a_process_of_another_domain_is_refused(shop: Shop) -> None:
    done = shop.driftloop("status", DRIFTLOOP_DOMAIN="card_fraud")
    assert done.returncode == 2
    assert re.fullmatch(r"driftloop: .*domain is 'clicks', and this process serves 'card_fraud'.*\n", done.stderr)
    with pytest.raises(SettingsError, match="domain is 'clicks'"):
        load(shop.folder)
