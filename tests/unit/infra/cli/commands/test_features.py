"""What ``driftloop features`` makes of the catalogue, of rows and of an archive; and of wrong input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.archive import layout
from features.base.redaction import hashed
from features.base.settings import load
from features.catalogue.vector import FEATURES, INDEX, NAMES, SCHEMA, WIDTH
from infra.cli import main
from infra.cli.commands import features

AT = 1_767_225_600_000


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # The command line sets the variable for its children: give it back afterwards.
    monkeypatch.setenv("DRIFTLOOP_DIR", str(tmp_path))
    (tmp_path / "driftloop.toml").touch()
    return tmp_path


@pytest.fixture
def archive(folder: Path) -> Path:
    """Five transactions of c1 in two files, the first under an older schema, and one of c2."""
    n = 6
    rows = {
        "transaction_id": [f"t{i}" for i in range(n)],
        "event_time_ms": [AT + i * 1000 for i in range(n)],
        "card_id": ["c1"] * 5 + ["c2"],
        "terminal_id": ["m1"] * n,
        "amount_minor": [1000 + i for i in range(n)],
        "currency": ["EUR"] * n,
        "schema": ["fraud_v0-old", *[SCHEMA] * 5],
        "features": [[1.0, 2.0], *[np.arange(WIDTH, dtype=np.float32) + i for i in range(1, n)]],
        "decision": ["unscored", *["pass"] * 5],
        "score": [None, *[0.25] * 5],
        "kafka_partition": [0] * n,
        "kafka_offset": list(range(n)),
    }
    columns = [pa.array(rows[f.name], type=f.type) if f.name in rows else pa.nulls(n, f.type) for f in layout.SCORES]
    table = pa.table(columns, schema=layout.SCORES)
    days = load(folder).archive / "scores"
    layout.write(layout.SCORES.empty_table(), days / "_schema" / "empty.parquet")
    layout.write(table.slice(0, 3), days / "day=2026-01-01" / "scores-0-a.parquet")
    layout.write(table.slice(3), days / "day=2026-01-02" / "scores-0-b.parquet")
    return folder


def test_list_names_every_feature_in_its_order(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["features", "list"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[1] for line in lines[2 : 2 + WIDTH]] == list(NAMES)
    assert lines[-1] == ["schema", SCHEMA]


def test_list_for_programs_has_all_that_the_catalogue_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["features", "list", "--json"]) == 0
    catalogue = json.loads(capsys.readouterr().out)
    assert catalogue["schema"] == SCHEMA
    assert [feature["name"] for feature in catalogue["features"]] == list(NAMES)
    assert catalogue["features"][3]["position"] == 3
    assert all(feature.keys() >= {"unit", "window", "source", "meaning", "missing"} for feature in catalogue["features"])


def test_a_feature_as_a_row() -> None:
    feature = FEATURES[INDEX["count_1h"]]
    row = features.listed(13, feature)
    assert row == ("13", "count_1h", "transactions", "1h", "history", feature.meaning)
    assert len(row) == len(features.LIST_COLUMNS)


def test_list_is_fast_to_start() -> None:
    """Neither Feast nor numba nor pandas is needed to say what a feature means."""
    code = "import sys; from infra.cli.main import run; run(['features', 'list']); print(sorted(sys.modules), file=sys.stderr)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for heavy in ("feast", "numba", "pandas", "pyarrow", "duckdb", "redis", "confluent_kafka"):
        assert f"'{heavy}'" not in process.stderr


def test_history_is_the_newest_in_the_order_of_their_time(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["features", "history", "card", "c1", "--last", "3", "--feature", "amount", "--feature", "count_1h"]
    assert main.run(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[-2:] == ["amount", "count_1h"]
    assert [line.split()[2] for line in lines[2:]] == ["t2", "t3", "t4"]
    assert lines[-1].split()[-3:] == ["0.250", str(INDEX["amount"] + 4), str(INDEX["count_1h"] + 4)]


def test_history_shows_the_currency_that_was_sent(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = {
        "transaction_id": ["y", "k"],
        "amount_minor": [5000, 12_345],
        "currency": ["JPY", "KWD"],
        "reference_measure": [3035, 3748],
    }
    both = {
        "card_id": "bug",
        "terminal_id": "m1",
        "schema": SCHEMA,
        "decision": "pass",
        "event_time_ms": AT,
        "kafka_partition": 0,
    }
    values = (
        rows | {name: [value] * 2 for name, value in both.items()} | {"kafka_offset": [0, 1], "features": [[0.0] * WIDTH] * 2}
    )
    columns = [pa.array(values[f.name], type=f.type) if f.name in values else pa.nulls(2, f.type) for f in layout.SCORES]
    place = load(archive).archive / "scores" / "day=2026-01-03" / "scores-0-c.parquet"
    layout.write(pa.table(columns, schema=layout.SCORES), place)
    assert main.run(["features", "history", "card", "bug"]) == 0
    out = capsys.readouterr().out
    assert "5,000 JPY" in out
    assert "12.345 KWD" in out


def test_history_for_programs_has_every_feature(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["features", "history", "card", "c1", "--json"]) == 0
    past = json.loads(capsys.readouterr().out)
    assert [row["event_id"] for row in past] == ["t0", "t1", "t2", "t3", "t4"]
    assert (past[0]["schema"], past[0]["features"]) == ("fraud_v0-old", None)
    assert list(past[1]["features"]) == list(NAMES)


def test_vectors_of_another_schema_are_dashes(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["features", "history", "card", "c1", "--feature", "hour"]) == 0
    assert capsys.readouterr().out.splitlines()[2].split()[-2:] == ["-", "-"]


@pytest.mark.parametrize("made", [True, False])
def test_history_of_an_unknown_card_is_one_line(
    made: bool, folder: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    if made:
        request.getfixturevalue("archive")
    assert main.run(["features", "history", "card", "c9"]) == 1
    output = capsys.readouterr()
    assert f"holds no payment of card {hashed(load(folder), 'c9')};" in output.err
    assert (output.err.count("\n"), output.out) == (1, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "person", "p1"], "'person' is not one of 'card', 'terminal'"),
        (["show"], "Missing argument 'kind'. Choose from: card, terminal"),
        (["show", "card"], "Missing argument 'ID'"),
        (["history"], "Missing argument 'kind'. Choose from: card"),
        (["show", "card", "c1"], "there is no platform in "),
        (["show", "terminal", "m1"], "there is no platform in "),
        (["history", "terminal", "m1"], "'terminal' is not"),
        (["history", "card", "c1", "--last", "0"], "--last"),
        (["history", "card", "c1", "--feature", "cuont_1h"], "there is no feature 'cuont_1h'; did you mean count_1h"),
        (["history", "card", "c1", "--feature", "???"], "driftloop features list names them"),
        (["forget"], "No such command 'forget'"),
    ],
)
def test_wrong_input_is_one_line(folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["features", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5 s"), (119, "119 s"), (120, "2.0 min"), (7300, "2.0 h"), (8.64e8, "10,000.0 d")]
)
def test_ages_for_people(seconds: float, text: str) -> None:
    assert features.age(seconds) == text
