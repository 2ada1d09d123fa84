"""The JSON Schemas say the same as the structs, and the files in the repository are the ones that the structs give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from features.base.events import (
    EVENT_OF,
    Alert,
    DeadLetter,
    DriftReport,
    HandledLetter,
    Label,
    ModelEvent,
    Outcome,
    RetrainRequest,
    Score,
)
from features.domains.card_fraud.event import Payment
from streams.schemas import generate
from streams.topics import NAMES

AT = 1_767_225_600_000

TRANSACTION = Payment("t1", AT, "c1", "m1", 1250, latitude=48.1, longitude=11.6, mode="chip", flag=True)
EXAMPLES: dict[str, msgspec.Struct] = {
    "transactions": TRANSACTION,
    "scores": Score(
        TRANSACTION, TRANSACTION.subject, "fraud_v1-0", bytes(8), "alert", 0.91, 0.5, "fraud", "v1", profile_age_ms=10
    ),
    "alerts": Alert(TRANSACTION, TRANSACTION.subject, 0.91, 0.5, "fraud", "v1", ["amount"], {"amount": 12.5}),
    "labels": Label("t1", "c1", "m1", AT, True, AT + 1, "analyst"),
    "outcomes": Outcome("t1", "c1", "m1", AT, AT + 1, False, "matured", 1250, 0.1, 0.5, "v1"),
    "drift-reports": DriftReport(
        "r1", "fraud", "v1", "data", AT, AT + 1, 500, "drift", "retrain", 0.4, {"amount": 0.3}, {"missing": {"latitude": 1}}
    ),
    "retrain-requests": RetrainRequest("k1", "fraud", "manual", AT, "because", exclude=[(AT, AT + 1)]),
    "model-events": ModelEvent("fraud", "canary", AT, AT, percent=10, metrics={"ap": 0.7}),
    "dlq": DeadLetter("transactions", 0, 5, "scorer", "ValidationError", "no", b"\xff", None, [("a", None), ("b", b"\x00")]),
    "dlq-handled": HandledLetter(0, 17, "discarded", "transactions", 2, 7, "a test terminal"),
}

#: (topic, field, value): examples changed in one field, right and wrong ones.
CHANGES: list[tuple[str, str, object]] = [
    ("transactions", "transaction_id", ""),
    ("transactions", "transaction_id", "x" * 65),
    ("transactions", "event_time_ms", AT // 1000),
    ("transactions", "event_time_ms", str(AT)),
    ("transactions", "amount_minor", -1),
    ("transactions", "amount_minor", 12.5),
    ("transactions", "amount_minor", 0),
    ("transactions", "amount_minor", None),
    ("transactions", "currency", "euro"),
    ("transactions", "currency", "EUR\n"),
    ("transactions", "latitude", None),
    ("transactions", "latitude", 90),
    ("transactions", "latitude", 90.1),
    ("transactions", "entry_mode", "telepathy"),
    ("transactions", "pin_used", 1),
    ("transactions", "a_field_of_the_producer", {"x": 1}),
    ("scores", "transaction", {"transaction_id": "t1"}),
    ("scores", "features", [1.0, 2.0]),
    ("scores", "decision", "maybe"),
    ("scores", "score", None),
    ("alerts", "evidence", {"amount": "much"}),
    ("alerts", "reasons", "amount"),
    ("labels", "is_fraud", "true"),
    ("labels", "source", "matured"),
    ("outcomes", "source", "matured"),
    ("outcomes", "late", None),
    ("drift-reports", "verdict", "fine"),
    ("drift-reports", "evidence", {"anything": [1, {"deep": None}]}),
    ("retrain-requests", "cause", "boredom"),
    ("retrain-requests", "exclude", [[1, 2, 3]]),
    ("retrain-requests", "exclude", [[1, 2]]),
    ("model-events", "state", "canary"),
    ("model-events", "metrics", {"ap": None}),
    ("dlq", "headers", [["a"]]),
    ("dlq", "value", None),
    ("dlq", "attempt", "2"),
    ("dlq-handled", "action", "forgotten"),
    ("dlq-handled", "reason", "x" * 10_001),
]


def _struct_takes(topic: str, value: object) -> bool:
    try:
        msgspec.json.decode(json.dumps(value).encode(), type=EVENT_OF[topic])
    except msgspec.ValidationError:
        return False
    return True


def _schema_takes(topic: str, value: object) -> bool:
    schema = json.loads((generate.FOLDER / f"{topic}.json").read_text())
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


def _example(topic: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(msgspec.json.encode(EXAMPLES[topic]))
    return value


def test_files_are_up_to_date() -> None:
    assert generate.outdated() == [], "run python -m streams.schemas.generate"


@pytest.mark.parametrize("topic", EVENT_OF)
def test_schema_is_a_valid_schema_with_title_and_description(topic: str) -> None:
    schema = generate.schema(topic)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] == EVENT_OF[topic].__name__
    assert schema["description"]


@pytest.mark.parametrize("topic", EVENT_OF)
def test_both_take_what_we_write(topic: str) -> None:
    assert _struct_takes(topic, _example(topic))
    assert _schema_takes(topic, _example(topic))


@pytest.mark.parametrize("topic", EVENT_OF)
def test_both_refuse_a_missing_field(topic: str) -> None:
    for field in generate.schema(topic)["required"]:
        value = _example(topic)
        del value[field]
        assert not _struct_takes(topic, value), field
        assert not _schema_takes(topic, value), field


@pytest.mark.parametrize(("topic", "field", "value"), CHANGES)
def test_both_agree_on_a_changed_field(topic: str, field: str, value: object) -> None:
    changed = _example(topic) | {field: value}
    assert _struct_takes(topic, changed) == _schema_takes(topic, changed)


def test_an_integer_with_a_fraction_is_where_they_differ() -> None:
    # To JSON Schema 5.0 is an integer, and no keyword says otherwise; the page in the docs warns producers.
    changed = _example("transactions") | {"amount_minor": 5.0}
    assert _schema_takes("transactions", changed)
    assert not _struct_takes("transactions", changed)


def test_every_topic_has_its_key_and_writers() -> None:
    assert set(generate.KEY_AND_OUTSIDERS) == set(EVENT_OF) == set(NAMES)
    assert all(generate.writers_text(topic) for topic in NAMES)
    assert generate.writers_text("retrain-requests") == "drift-monitor, control, `driftloop retrain`"
    assert generate.writers_text("dlq") == "every processor"


@pytest.mark.parametrize(
    ("field", "text", "limits"),
    [
        ({"type": "string", "minLength": 1, "maxLength": 64}, "string", "1 to 64 characters"),
        (
            {"anyOf": [{"type": "number", "minimum": -90.0, "maximum": 90.0}, {"type": "null"}]},
            "number or null",
            "at least -90.0, at most 90.0",
        ),
        ({"type": "array", "items": {"$ref": "#/$defs/Label"}}, "array of [Label](#label)", ""),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "object of number", ""),
        ({"type": "object", "additionalProperties": {}}, "object of any value", ""),
        ({"enum": ["a", "b"]}, '"a" or "b"', ""),
    ],
)
def test_fields_in_words(field: dict[str, Any], text: str, limits: str) -> None:
    assert generate.type_text(field) == text
    assert generate.limits_text(field) == limits


def test_check_names_what_is_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "FOLDER", tmp_path / "schemas")
    monkeypatch.setattr(generate, "PAGE", tmp_path / "events.md")
    assert generate.main(["--check"]) == 1
    assert "transactions.json is out of date" in capsys.readouterr().err
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (tmp_path / "schemas" / "gone.json").write_text("{}")
    assert generate.main(["--check"]) == 1
    assert generate.main([]) == 0
    assert generate.outdated() == []
