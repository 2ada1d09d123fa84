"""Windows, the cards that are left out, and the command's answers to wrong input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from benchmarks.handbook.__main__ import main
from benchmarks.handbook.data import Transactions, load
from benchmarks.handbook.experiment import GROUPS, Result, read, run, write
from benchmarks.handbook.models import Matrix, Model
from benchmarks.handbook.protocol import Period, Protocol, day_of, name_of, period_of
from benchmarks.handbook.report import BEGIN, END, table
from benchmarks.handbook.report import main as write_document
from features.base.durations import DAY_MS
from tests.unit.benchmarks.small import DAY_0, history


def test_days_and_periods() -> None:
    assert day_of("1970-01-02") == 1
    assert name_of(day_of("2018-07-25")) == "2018-07-25"
    assert str(period_of("2018-07-25:2018-07-31")) == "2018-07-25:2018-07-31"
    with pytest.raises(ValueError, match="before it begins"):
        period_of("2018-07-31:2018-07-25")


def test_cards_are_left_out_once_their_fraud_is_known() -> None:
    # Card 0: fraud on the last training day. Card 1: fraud on day 22, known from day 22 + 3 on. Card 2: fraud before training.
    days = [20, 22, 5, *range(24, 28), *range(24, 28), *range(24, 28)]
    subject = np.array([0, 1, 2] + [0] * 4 + [1] * 4 + [2] * 4)
    positive = np.array([True] * 3 + [False] * 12)
    order = np.argsort(days, kind="stable")
    t = Transactions(np.array(days)[order] * DAY_MS, subject[order], subject[order], subject[order] + 1, positive[order])
    protocol = Protocol(Period(18, 20), Period(24, 27), delay_days=2, train_from=18)
    rows = protocol.test_rows(t)
    tested = {(int(c), int(d)) for c, d in zip(t.subject[rows], t.day[rows], strict=True)}
    assert tested == {(1, 24)} | {(2, d) for d in range(24, 28)}
    earlier = Protocol(Period(18, 20), Period(24, 27), delay_days=2, train_from=1)
    assert earlier.train_rows(t).tolist() == [0, 1]
    assert earlier.test_rows(t).tolist() == rows.tolist(), "the same test rows, whatever is trained on"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"delay_days": 0}, "--delay-days: must be 1 or more"),
        ({"train": Period(DAY_0 + 20, DAY_0 + 33)}, "--train: labels after 2018-04-27 are not known"),
        ({"train_from": DAY_0 + 28}, "--train-from: lies after the end"),
        ({"test": Period(DAY_0 + 400, DAY_0 + 406)}, "--test: 0 of 0 rows are frauds"),
        ({"train": Period(DAY_0 - 9, DAY_0 - 3), "train_from": DAY_0 - 9}, "--train: 0 of 0 rows are frauds"),
    ],
)
def test_windows_that_cannot_be_judged_are_refused(changed: dict[str, Any], message: str) -> None:
    good = Protocol(Period(DAY_0 + 20, DAY_0 + 26), Period(DAY_0 + 34, DAY_0 + 40), 7, DAY_0 + 20)
    good.check(history(1, subjects=300))
    with pytest.raises(ValueError, match=message):
        replace(good, **changed).check(history(1, subjects=300))


def handbook_table(n: int = 300) -> pa.Table:
    t = history(2, n=n, subjects=200)
    return pa.table(
        {
            "TRANSACTION_ID": np.arange(n)[::-1],
            "TX_DATETIME": pa.array(t.time_ms, pa.timestamp("ms")),
            "CUSTOMER_ID": t.subject * 10 + 3,
            "TERMINAL_ID": [f"T{x}" for x in t.counterpart],
            "TX_AMOUNT": t.measure / 100,
            "TX_FRAUD": t.positive.astype(np.int8),
        }
    )


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_any_file_with_the_columns_is_read(tmp_path: Path, suffix: str) -> None:
    rows = handbook_table()
    path = tmp_path / f"file.{suffix}"
    shuffled = rows.take(np.random.default_rng(1).permutation(len(rows)))
    if suffix == "csv":
        pa_csv.write_csv(shuffled, path)
    else:
        pq.write_table(shuffled, path)
    loaded = load(path)
    t = history(2, n=300, subjects=200)
    np.testing.assert_array_equal(loaded.time_ms, t.time_ms)
    assert sorted(loaded.measure.tolist()) == sorted(t.measure.tolist())
    assert loaded.subject.max() + 1 == len(np.unique(t.subject))
    assert loaded.positive.sum() == t.positive.sum()


def test_wrong_input_is_one_line_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file.parquet"
    pq.write_table(handbook_table().drop_columns(["TX_FRAUD"]), path)
    windows = ["--train", "2018-04-20:2018-04-26", "--test", "2018-05-04:2018-05-10"]
    for arguments, message in [
        (["--data", str(tmp_path / "none.parquet"), *windows], "there is no file"),
        (["--data", str(path), *windows], "lacks the column TX_FRAUD"),
        (["--data", str(path), "--train", "april", "--test", "2018-05-04:2018-05-10"], "--train: give FIRST:LAST"),
        (["--data", str(path), *windows, "--train-from", "1 May"], "--train-from: give a date"),
        (["--data", str(path), *windows, "--seeds", "0"], "--seeds: must be 1 or more"),
        (["--data", str(path), *windows, "--models", "oracle"], "--models: choose from logistic-regression"),
    ]:
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_run_judges_every_model_on_every_feature_set_and_writes_it(tmp_path: Path) -> None:
    def by_amount(train: Matrix, positive: NDArray[np.bool_], test: Matrix, seed: int) -> NDArray[np.float64]:
        assert len(train) == len(positive)
        return test[:, 0].astype(np.float64) * (1 if seed == 0 else -1)

    models = [Model("fixed", by_amount, seeded=False), Model("mlp", by_amount, seeded=True)]
    protocol = Protocol(Period(DAY_0 + 20, DAY_0 + 26), Period(DAY_0 + 34, DAY_0 + 40), 7, DAY_0 + 10)
    lines: list[str] = []
    *partial, result = run(history(1, subjects=300), protocol, "small", (0, 1), True, lines.append, models, 2)
    assert [(r.features, r.model, r.seeds) for r in result.rows] == [
        ("handbook-15", "fixed", 1),
        ("full", "fixed", 1),
        ("handbook-15", "mlp", 2),
        ("full", "mlp", 2),
        *[(name, "mlp", 2) for name in list(GROUPS)[:-1]],
    ]
    assert result.rows[2].auc == pytest.approx(0.5), "the mean over both seeds"
    assert [len(r.rows) + len(r.weeks) for r in partial] == list(range(1, len(result.rows) + 2))
    assert len(lines) == 3 + len(result.rows)
    assert [w.test for w in result.weeks] == [str(protocol.test), str(protocol.earlier(7).test)]
    path = tmp_path / "deep" / "result.json"
    write(result, path)
    assert read(path) == result
    document = tmp_path / "page.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    assert write_document([str(document), str(path)]) == 0
    text = document.read_text(encoding="utf-8")
    assert text == f"before\n{BEGIN}\n\n{table(result)}\n\n{END}\nafter\n"
    document.write_text("no marks", encoding="utf-8")
    assert write_document([str(document), str(path)]) == 2


def test_the_table_says_whether_the_rebuild_agrees_and_the_goals_are_reached() -> None:
    def result(row: dict[str, object] | None = None, **changed: object) -> Result:
        usual = {"model": "random-forest", "features": "handbook-15", "seeds": 1, "auc": 0.867, "ap": 0.6475, "cp100": 0.287}
        values: dict[str, object] = {
            "data": "x",
            "train": "2018-07-25:2018-07-31",
            "train_from": "2018-07-25",
            "test": "2018-08-08:2018-08-14",
            "delay_days": 7,
            "schema": "s",
            "train_rows": 1,
            "train_frauds": 1,
            "test_rows": 1,
            "test_frauds": 1,
            "feature_seconds": 1.0,
            "rows": [usual | {"ap_deviation": 0.0, "columns": 15, "seconds": 1.0} | (row or {})],
        }
        return msgspec.convert(values | changed, Result)

    assert "random-forest: DOES NOT agree with the published scores (largest difference 0.011" in table(result())
    assert "random-forest: agrees" in table(result(row={"ap": 0.648}))
    assert "agree" not in table(result(train_from="2018-05-01"))
    reached = table(result(train_from="2018-05-01", row={"features": "full", "model": "mlp", "ap": 0.77}))
    assert "AP >= 0.76: reached (0.770)" in reached
    assert "CP@100 >= 0.30: MISSED by 0.013 (0.287)" in reached
