"""What the inspecting commands make of events, versions and dead letters; and of wrong input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from features.base.events import Alert, DeadLetter, DriftReport
from features.domains.card_fraud.event import Payment
from infra.cli import main
from infra.cli.commands import alerts, dlq, drift, models
from infra.inspect.tail import Seen
from serving.store.document import ServingDocument
from serving.store.document import encode as encode_document
from serving.store.manifest import Manifest
from serving.store.manifest import encode as encode_manifest

AT = 1_767_225_600_000


def _manifest(version: str) -> Manifest:
    return Manifest(
        model="fraud",
        version=version,
        created_at_ms=AT,
        schema="s",
        features=["amount"],
        threshold=0.5,
        sha256="0" * 64,
        train_start_ms=AT,
        train_end_ms=AT + 86_400_000,
        rows=1000,
        positives=10,
        metrics={"ap": 0.71234, "cost": 1234.5},
        cause="no_champion",
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # The command line sets the variable for its children: give it back afterwards.
    monkeypatch.setenv("DRIFTLOOP_DIR", str(tmp_path))
    (tmp_path / "driftloop.toml").touch()
    return tmp_path


def _store(folder: Path, *versions: str, document: ServingDocument) -> None:
    for version in versions:
        place = folder / "models" / "versions" / version
        place.mkdir(parents=True)
        (place / "manifest.json").write_bytes(encode_manifest(_manifest(version)))
    (folder / "models" / "serving.json").write_bytes(encode_document(document))


def test_an_alert_shows_the_currency_that_was_sent() -> None:
    for minor, currency, shown in ((5000, "JPY", "5,000 JPY"), (12_345, "KWD", "12.345 KWD")):
        paid = Payment("t", AT, "c1", "m1", minor, currency)
        assert shown in alerts.row(Alert(paid, "c1", 0.9, 0.5, "fraud", "v1", [], {}))


def test_alert_row() -> None:
    alert = Alert(
        Payment("t", AT, "c1", "m1", 1250),
        Payment("t", AT, "c1", "m1", 1250).subject,
        0.98765,
        0.5,
        "fraud",
        "v2",
        ["amount", "night"],
        {},
    )
    row = alerts.row(alert)
    assert row == ("2026-01-01 00:00:00", "c1", "m1", "12.50 EUR", "0.988", "0.500", "fraud v2", "amount, night")
    assert len(row) == len(alerts.COLUMNS)


def test_drift_row_shows_the_features_that_moved_most() -> None:
    features = {"a": 0.1, "b": 0.9, "c": 0.5, "d": 0.3}
    report = DriftReport("r", "fraud", "v1", "data", AT, AT + 86_400_000, 500, "drift", "requested", 0.25, features)
    row = drift.row(report)
    assert row[0] == "2026-01-01 00:00:00 .. 2026-01-02 00:00:00"
    assert row[5:] == ("25%", "b 0.90, c 0.50, d 0.30", "requested")
    assert len(row) == len(drift.COLUMNS)


def test_drift_row_without_features_shows_numbers_of_the_evidence() -> None:
    evidence = {"ap": 0.51234, "since": "yesterday", "error": 0.25, "before": 0.1, "n": 7}
    report = DriftReport("r", "fraud", None, "performance", AT, AT, 500, "ok", "none", evidence=evidence)
    assert drift.row(report)[2:7] == ("-", "500", "ok", "-", "ap 0.5123, error 0.25, before 0.1")


def test_models_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _store(folder, "v1", "v2", "v10", document=ServingDocument(generation=3, champion="v2", shadow="v10"))
    assert main.run(["models"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[:3] for line in lines[2:]] == [
        ["v1", "-", "registered"],
        ["v2", "champion", "registered"],
        ["v10", "shadow", "registered"],
    ]


def test_models_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _store(folder, "v1", document=ServingDocument(generation=1, champion="v1"))
    assert main.run(["models", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["serving"]["generation"] == 1
    assert value["versions"][0]["role"] == "champion"
    assert value["versions"][0]["metrics"] == {"ap": 0.71234, "cost": 1234.5}


def test_models_of_an_empty_store(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["models"]) == 0
    assert capsys.readouterr().out.startswith("no model versions yet in ")


def test_models_of_a_broken_store_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _store(folder, "v1", document=ServingDocument())
    (folder / "models" / "versions" / "v1" / "manifest.json").write_text("{")
    assert main.run(["models"]) == 2
    error = capsys.readouterr().err
    assert "manifest.json" in error
    assert error.count("\n") == 1


def test_champion_wins_over_a_shadow_of_the_same_version() -> None:
    assert models.role(_manifest("v1"), ServingDocument(champion="v1", shadow="v1")) == "champion"
    assert models.role(_manifest("v2"), ServingDocument(champion="v1")) is None


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (None, "(none)"),
        (b"", ""),
        (b'{"a": 1}', '{\n  "a": 1\n}'),
        (b"{not json", "{not json"),
        (b"\xff\x00", "base64 /wA="),
    ],
)
def test_bytes_for_people(data: bytes | None, text: str) -> None:
    assert dlq.text(data) == text


def test_a_dead_letter_for_programs_and_people() -> None:
    letter = DeadLetter("transactions", 2, 7, "scorer", "ValidationError", "no amount", b"\xff", b"c1", [("h", b"x")], 3)
    seen = Seen(0, 5, AT, b"c1", None)
    row = dlq.row(seen, letter)
    assert row == ("0:5", "2026-01-01 00:00:00", "scorer", "ValidationError", "no amount", "transactions 2:7", "3")
    assert len(row) == len(dlq.COLUMNS)
    value = dlq.described(seen, letter)
    assert (value["place"], value["value"], value["value_text"]) == ("0:5", "/w==", None)


@pytest.mark.parametrize(
    "arguments",
    [
        ["alerts"],
        ["drift"],
        ["dlq", "list"],
        ["dlq", "show", "0:1"],
        ["retrain", "--reason", "because"],
    ],
)
def test_without_a_platform_the_way_out_is_one_line(
    folder: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("driftloop: there is no platform in ")
    assert captured.err.count("\n") == 1
    assert captured.out == ""


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["alerts", "-n", "many"], "-n"),
        (["alerts", "-n", "-1"], "-n"),
        (["dlq", "show", "seventeen"], "PARTITION:OFFSET"),
        (["dlq", "show", "0:-1"], "PARTITION:OFFSET"),
        (["retrain"], "--reason"),
        (["retrain", "--reason", "  "], "--reason"),
        (["models", "--yaml"], "--yaml"),
    ],
)
def test_wrong_input_is_one_line(folder: Path, arguments: list[str], names: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(arguments) == 2
    error = capsys.readouterr().err
    assert names in error
    assert error.count("\n") == 1
