from __future__ import annotations

from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from features.base.events import Label
from features.domains.card_fraud.event import Payment
from streams.publish.files import TruthFile, write_files
from streams.simulate.card_fraud.options import Options
from streams.simulate.card_fraud.simulation import Simulation

SIMULATION = Simulation(Options(cards=200, terminals=60))


def test_json_lines_are_what_would_have_been_published(tmp_path: Path) -> None:
    path = tmp_path / "day.jsonl"
    transactions, labels = write_files(SIMULATION.days(0, 2), path)
    lines = path.read_bytes().splitlines()
    assert [msgspec.json.decode(line, type=Payment).event_id[:7] for line in lines[:1]] == ["t7-0000"]
    assert len(lines) == transactions
    beside = (tmp_path / "day.labels.jsonl").read_bytes().splitlines()
    assert all(msgspec.json.decode(line, type=Label) for line in beside)
    assert len(beside) == labels


def test_parquet_and_ground_truth_agree(tmp_path: Path) -> None:
    with TruthFile(tmp_path / "truth.parquet") as truth:
        written, labels = write_files(truth.watch(SIMULATION.days(0, 3)), tmp_path / "days.parquet")
    table = pq.read_table(tmp_path / "days.parquet")
    known = pq.read_table(tmp_path / "truth.parquet")
    assert table.num_rows == known.num_rows == written
    assert table["transaction_id"].equals(known["transaction_id"])
    positives = [name for name in known["pattern"].to_pylist() if name != "genuine"]
    assert sum(known["is_fraud"].to_pylist()) == len(positives)
    assert pq.read_table(tmp_path / "days.labels.parquet").num_rows == labels
    unknown = [mode == "online" for mode in table["entry_mode"].to_pylist()]
    assert [place is None for place in table["latitude"].to_pylist()] == unknown
    assert [pin is None for pin in table["pin_used"].to_pylist()] == unknown


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--out is .*day\.csv"):
        write_files(SIMULATION.days(0, 1), tmp_path / "day.csv")
