"""The amount limit is a setting: it reaches stream and batch alike, and vectors of another limit are of another schema."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pytest

from features.archive.days import newest_complete_day
from features.base.sections import Features
from features.base.settings import SettingsError, load
from features.catalogue.vector import INDEX, N_STREAM, SCHEMA, vector_schema
from features.history.state import SubjectState
from features.skew.check import check
from features.transform.arrow import Recomputation, in_log_order, vectors
from features.transform.update import update
from streams.simulate.card_fraud.options import Options
from tests.served import archive, served, transactions
from tests.unit.features.naive import Event
from tests.unit.features.transform.test_update import START, columns

ROOT = Path(__file__).parents[4]
ABOVE = INDEX["amount_above_limit"]


@pytest.mark.parametrize(("limit", "above"), [(220, [0, 0, 0, 1]), (10, [0, 1, 1, 1]), (1_000_000_000, [0, 0, 0, 0])])
def test_an_amount_is_above_the_limit_from_the_next_minor_unit_on(limit: int, above: list[int]) -> None:
    batch = columns([Event("c", START + i, amount) for i, amount in enumerate((1_000, 1_001, 22_000, 22_001))])
    assert update(SubjectState(), batch, limit)[:, ABOVE].tolist() == above
    assert Features().measure_limit == 220


def test_another_limit_is_another_schema() -> None:
    assert vector_schema(Features()) == SCHEMA
    others = {vector_schema(Features(measure_limit=limit)) for limit in (219, 221, 22_000)}
    assert len(others) == 3
    assert SCHEMA not in others


def test_a_truth_value_is_no_limit() -> None:
    with pytest.raises(ValueError, match="measure_limit"):
        Features(measure_limit=True)


def test_batch_gives_what_the_stream_served_with_the_same_limit_only(tmp_path: Path) -> None:
    strict = Features(measure_limit=30)
    settings = load(tmp_path)
    archive(settings, served(transactions(Options(cards=20, terminals=40, seed=3), 4), features=strict))
    log = in_log_order(ds.dataset(settings.archive / "scores", format="parquet").to_table())
    stream = vectors(log.column("features"))[:, :N_STREAM]
    assert 0 < stream[:, ABOVE].mean() < 1
    assert set(log.column("schema").to_pylist()) == {vector_schema(strict)}
    np.testing.assert_array_equal(Recomputation(strict).vectors(log)[:, :N_STREAM], stream)
    other = Recomputation(Features()).vectors(log)[:, :N_STREAM]
    assert set(np.nonzero(other != stream)[1].tolist()) == {ABOVE}


def test_the_skew_check_recomputes_with_the_limit_and_leaves_vectors_of_another_alone(tmp_path: Path) -> None:
    strict = Features(measure_limit=30)
    settings = load(tmp_path)
    archive(settings, served(transactions(Options(cards=20, terminals=40, seed=3), 4), features=strict))
    day = newest_complete_day(settings.archive / "scores")
    assert day is not None
    assert check(settings, day).vectors == 0
    settings.features = strict
    report = check(settings, day)
    assert report.vectors > 0
    assert report.sources["history"].differing == 0


@pytest.mark.parametrize("wrong", ["0", "-3", "2.5", "1000000001", "'much'"])
def test_a_wrong_limit_is_refused_by_name(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "driftloop.toml").write_text(f"[features]\nmeasure_limit = {wrong}\n")
    with pytest.raises(SettingsError, match=r"features\.measure_limit"):
        load(tmp_path)


def test_the_limit_is_read_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "driftloop.toml").write_text("[features]\nmeasure_limit = 500\n")
    assert load(tmp_path).features == Features(measure_limit=500)


def test_no_code_that_runs_takes_the_default_schema_for_the_settings_one() -> None:
    asks = re.compile(r"\bSCHEMA\b|\bDOMAIN\.measure_limit\b")
    files = [path for folder in ("features", "streams", "serving", "retrain", "infra") for path in (ROOT / folder).rglob("*.py")]
    paths = {str(path.relative_to(ROOT)) for path in files if asks.search(path.read_text())}
    assert paths == {"features/catalogue/vector.py"}
