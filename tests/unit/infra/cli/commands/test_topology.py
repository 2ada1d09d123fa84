"""``driftloop topology``: a table for people, JSON for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.cli import main
from streams.topology import TOPOLOGY


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No platform is chosen, and there is none in the working folder."""
    monkeypatch.delenv("DRIFTLOOP_DIR", raising=False)
    monkeypatch.chdir(tmp_path)


def test_it_prints_a_line_for_each_processor_without_a_platform(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["topology"]) == 0
    head, _, *lines = capsys.readouterr().out.splitlines()
    assert head.split()[0] == "processor"
    assert [line.split()[0] for line in lines] == [entry.name for entry in TOPOLOGY]
    (scorer,) = (" ".join(line.split()) for line in lines if line.startswith("scorer "))
    assert scorer == "scorer transactions -> scores, alerts, transactions, dlq scorer exactly once scorer"
    (skew,) = (" ".join(line.split()) for line in lines if line.startswith("skew "))
    assert skew == "skew - - no stream drift-monitor"


def test_its_json_says_all_of_an_entry(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["topology", "--json"]) == 0
    by_name = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert list(by_name) == [entry.name for entry in TOPOLOGY]
    control = by_name["control"]
    assert (control["group"], control["reads"], control["ports"]) == ("control", ["retrain-requests"], {"web": "control"})
    assert by_name["model-server"]["group"] is None
    assert by_name["drift-monitor"]["replays"] == ["model-events", "scores", "outcomes"]
