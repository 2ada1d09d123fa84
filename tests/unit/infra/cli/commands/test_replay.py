"""``driftloop replay`` and ``simulate`` where no broker is needed: what is refused, and that nothing of it is written."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.base import kept_rates
from features.base.rates import Rate
from features.base.settings import load
from infra.cli import main
from streams.replay.mapping import parse_map
from streams.replay.replay import Replay
from streams.replay.rows import FileColumns


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DRIFTLOOP_DIR", str(tmp_path / "platform"))
    (tmp_path / "platform").mkdir()
    (tmp_path / "platform" / "driftloop.toml").write_text("")
    return tmp_path


def written(path: Path, rows: int = 3000, **columns: pa.Array) -> Path:
    """Six days of payments; ``columns`` replace the good ones."""
    made = {
        "TRANSACTION_ID": pa.array([f"t{i}" for i in range(rows)]),
        "TX_DATETIME": pa.array([datetime(2018, 4, 1) + timedelta(minutes=2.88 * i) for i in range(rows)], pa.timestamp("ms")),
        "CUSTOMER_ID": pa.array([f"c{i % 50}" for i in range(rows)]),
        "TERMINAL_ID": pa.array(["m1"] * rows),
        "TX_AMOUNT": pa.array([10.0] * rows),
        "TX_FRAUD": pa.array([0] * rows),
    }
    pq.write_table(pa.table({**made, **columns}), path, row_group_size=500)
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """One line on stderr and exit code 2; the line."""
    assert main.run(list(arguments)) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_a_bad_last_row_stops_it_before_the_first_is_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(folder / "f.parquet", TX_AMOUNT=pa.array([10.0] * 2999 + [-12.0]))
    line = refused(capsys, "replay", str(path), "--out", str(folder / "part.jsonl"))
    assert "column TX_AMOUNT, row 3,000: -12.0 is below 0" in line
    assert "kind refund" in line
    assert not list(folder.glob("*part*"))
    assert main.run(["replay", str(path), "--to", "2018-04-05", "--out", str(folder / "part.jsonl")]) == 0
    assert len((folder / "part.jsonl").read_bytes().splitlines()) == 2500


def test_a_text_that_is_too_long_names_column_row_and_limit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(folder / "f.parquet", category=pa.array(["ok", "x" * 70, *["ok"] * 2998]))
    line = refused(capsys, "replay", str(path), "--map", "merchant_category=category", "--out", str(folder / "o.jsonl"))
    assert "column category, row 2: the merchant_category has 70 characters, and it may have 64 at most" in line


def test_float_ids_become_what_they_were(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(folder / "f.parquet", CUSTOMER_ID=pa.array([13926.0] * 3000))
    assert main.run(["replay", str(path), "--out", str(folder / "o.jsonl")]) == 0
    assert b'"card_id":"13926"' in (folder / "o.jsonl").read_bytes()
    capsys.readouterr()
    path = written(folder / "f.parquet", CUSTOMER_ID=pa.array([4e18, 4e18 + 512] * 1500))
    assert "column CUSTOMER_ID, row 1" in refused(capsys, "replay", str(path), "--out", str(folder / "p.jsonl"))


def test_half_cents_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(folder / "f.parquet", TX_AMOUNT=pa.array([0.285] * 3000))
    line = refused(capsys, "replay", str(path), "--out", str(folder / "o.jsonl"))
    assert "column TX_AMOUNT, row 1: 0.285 has more than the 2 decimals of its currency" in line


def test_a_currency_without_a_rate_is_refused_before_anything_is_published(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would come to the dlq one by one is told of the file; by rates from its first day on it is not."""
    monkeypatch.setenv("DRIFTLOOP_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    path = written(folder / "f.parquet", currency=pa.array(["EUR", "HUF"] * 1500))
    assert main.run(["replay", str(path), "--map", "currency=currency"]) == 2
    _, line = capsys.readouterr().err.strip().splitlines()
    assert "HUF" in line
    assert "driftloop rates add FILE and run this again" in line
    settings = load(folder / "platform")
    checked = Replay(path, FileColumns(parse_map(["currency=currency"]))).check(None, None)
    assert set(checked.units) == {"EUR", "HUF"}
    kept = [Rate("HUF", min(checked.units.values()), "0.0026")]
    reasons = (
        kept_rates.converter(settings, kept)
        .convert(["HUF"], np.zeros(1, dtype=np.int64), np.array([checked.units["HUF"]]), np.zeros(1, dtype=np.int64))
        .reasons
    )
    assert reasons == {}


def test_layouts_are_listed_without_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["replay", "--layouts"]) == 0
    listed = capsys.readouterr().out
    assert all(f"\n{name}: " in f"\n{listed}" for name in ("sparkov", "paysim", "ieee-cis", "ibm", "kaggle-creditcard"))
    assert "card_id: no column says whose card it was" in listed


def test_the_truth_of_the_run_before_is_not_written_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(folder / "f.parquet")
    (folder / "truth.parquet").touch()
    line = refused(capsys, "replay", str(path), "--resume", "--truth", str(folder / "truth.parquet"))
    assert "name another file for the rest" in line


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--resume", "--again"), "exclude each other"),
        (("--separator", "ab"), "--separator is 'ab'"),
        (("--decimal", "x"), "--decimal is 'x'"),
        (("--time-unit", "weeks"), "--time-unit is 'weeks'"),
        (("--map-file", "sparkof"), "the layouts are"),
        (("--from", "2018-04-03", "--to", "2018-04-02"), "before --from"),
        (("--from", "2019-01-01"), "holds no rows of these days"),
    ],
)
def test_wrong_options(folder: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], why: str) -> None:
    path = written(folder / "f.parquet")
    assert why in refused(capsys, "replay", str(path), "--out", str(folder / "o.jsonl"), *options)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--seed", "9" * 60), "transaction_id of 't9999999"),
        (("--start", "2089-01-05", "--from-day", "4500", "--days", "2"), "event_time_ms"),
    ],
)
def test_a_world_that_no_scorer_would_take(
    folder: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], why: str
) -> None:
    line = refused(capsys, "simulate", "--days", "1", "--subjects", "5", "--out", str(folder / "o.jsonl"), *options)
    assert why in line
    assert not list(folder.glob("*o.jsonl*"))
