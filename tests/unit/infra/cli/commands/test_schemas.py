"""``driftloop schemas`` and ``--format``, as far as no registry is needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.cli import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    # The command line sets the variable for its children: give it back afterwards.
    monkeypatch.setenv("DRIFTLOOP_DIR", str(tmp_path))
    return str(tmp_path)


def test_show_prints_each_schema(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--dir", folder, "schemas", "show", "avro", "--topic", "labels"]) == 0
    avro = json.loads(capsys.readouterr().out)
    assert {field["name"] for field in avro["fields"]} >= {"transaction_id", "is_fraud", "label_time_ms"}
    assert main.run(["--dir", folder, "schemas", "show", "protobuf"]) == 0
    shown = capsys.readouterr().out
    assert "message Payment {" in shown
    assert "message Label {" in shown
    assert main.run(["--dir", folder, "schemas", "show", "json", "--topic", "transactions"]) == 0
    assert json.loads(capsys.readouterr().out)["$id"] == "urn:driftloop:transactions"


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("schemas", "show", "xml"), "FORMAT is 'xml'"),
        (("schemas", "show", "avro", "--topic", "scores"), "--topic is 'scores'"),
        (("schemas", "publish", "avro"), "schema_registry.url is empty"),
        (("simulate", "--days", "1", "--format", "xml"), "--format is 'xml'"),
        (("simulate", "--days", "1", "--format", "avro", "--out", "x.parquet"), "--out writes files"),
    ],
)
def test_wrong_input_is_one_line(
    folder: str, arguments: tuple[str, ...], names: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert main.run(["--dir", folder, *arguments]) == 2
    error = capsys.readouterr().err
    assert names in error
    assert error.count("\n") == 1
