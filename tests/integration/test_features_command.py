"""``driftloop features show`` on a real Redis."""

from __future__ import annotations

import json

import numpy as np
import pytest

from features.base.durations import DAY_MS
from features.base.settings import Settings
from features.catalogue.vector import NAMES, SCHEMA, WIDTH
from features.online.store import Activity, CounterpartRow, OnlineWriter
from infra.cli import main
from infra.platform.ports import free_ports
from tests.profile_rows import profile_row, tiles

pytestmark = pytest.mark.integration

T0 = 17_600 * DAY_MS


@pytest.fixture(autouse=True)
def _written(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLOOP_DIR", str(platform.dir))
    writer = OnlineWriter(platform)
    vector = np.arange(WIDTH, dtype=np.float32)
    current, old = Activity("show-1", T0, vector, SCHEMA, 0.25, "tx-1"), Activity("show-2", T0, vector[:3], "old", None, "tx-2")
    writer.write_activity([current, old])
    writer.write_profiles([profile_row("show-1", T0, 17.5), profile_row("show-3", T0, 17.5)])
    writer.write_counterpart_risk([CounterpartRow("show-t", T0, tiles(T0, 24), 7)])


def test_a_card_with_its_vector_and_profile(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["features", "show", "card", "show-1", "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["features"] == {name: float(i) for i, name in enumerate(NAMES)}
    assert (card["score"], card["event_id"], card["event_time_ms"], card["schema_is_current"]) == (0.25, "tx-1", T0, True)
    assert card["age_s"] > 86_400
    assert card["profile"]["home"] == [48.5, -2.25]
    assert (card["profile"]["mean_measure"], card["profile"]["events"]) == (17.5, 90)
    assert [len(card["profile"][name]) for name in ("hours", "categories", "counterparts")] == [24, 16, 16]

    assert main.run(["features", "show", "card", "show-1"]) == 0
    text = capsys.readouterr().out
    assert "as of:        2018-03-10 00:00:00 UTC" in text
    assert f"schema:       {SCHEMA} (today's)" in text
    assert "home:       48.5000, -2.2500" in text
    assert all(f"\n{name} " in text for name in NAMES)


def test_a_vector_of_another_schema_is_said_to_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["features", "show", "card", "show-2"]) == 0
    text = capsys.readouterr().out
    assert f"old (not today's, which is {SCHEMA}" in text
    assert "profile:      none yet" in text
    assert [line.split()[:2] for line in text.splitlines()[-3:]] == [["0", "0"], ["1", "1"], ["2", "2"]]


def test_a_card_of_which_only_the_profile_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["features", "show", "card", "show-3"]) == 0
    assert "vector:       none yet" in capsys.readouterr().out


def test_a_terminal_by_day(capsys: pytest.CaptureFixture[str]) -> None:
    rows = tiles(T0, 24)
    assert main.run(["features", "show", "terminal", "show-t", "--json"]) == 0
    terminal = json.loads(capsys.readouterr().out)
    assert (terminal["as_of_ms"], terminal["hours"]) == (T0, 24)
    assert sum(day["outcomes"] for day in terminal["days"]) == rows[:, 1].sum()
    first = terminal["days"][0]
    of_day = rows[rows[:, 0] * 3_600_000 // DAY_MS == first["day_ms"] // DAY_MS]
    assert [first["outcomes"], first["positives"], first["unexplained"]] == of_day[:, 1:].sum(axis=0).tolist()
    assert main.run(["features", "show", "terminal", "show-t"]) == 0
    assert f"{rows[:, 1].sum()} outcomes in 24 hours, {rows[:, 2].sum()} of them fraud" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["card", "terminal"])
def test_unknown_is_one_line_and_exit_code_1(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["features", "show", kind, "nobody"]) == 1
    output = capsys.readouterr()
    assert output.err.startswith(f"driftloop: the online store knows no {kind} ")
    assert "nobody" not in output.err, "ids stand in messages as keyed hashes"
    assert (output.err.count("\n"), output.out) == (1, "")


def test_redis_away_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLOOP_FEAST__REDIS", f"127.0.0.1:{next(free_ports(set()))}")
    assert main.run(["features", "show", "card", "show-1"]) == 1
    error = capsys.readouterr().err
    assert "did not answer" in error
    assert error.count("\n") == 1
