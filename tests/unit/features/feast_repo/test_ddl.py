"""Event types as Spark's schema text."""

from __future__ import annotations

import msgspec
import pytest

from features.base.events import EVENT_OF, Label
from features.feast_repo.ddl import schema


class _Nested(msgspec.Struct):
    label: Label | None
    scores: list[float]


class _Odd(msgspec.Struct):
    anything: dict[str, int]


def test_fields_are_named_as_in_json_and_typed_as_spark_does() -> None:
    label = (
        "transaction_id: string, card_id: string, terminal_id: string, event_time_ms: bigint, is_fraud: boolean, "
        "label_time_ms: bigint, source: string"
    )
    assert schema(Label) == label.replace(":", "")
    assert schema(_Nested) == f"label struct<{label}>, scores array<double>"


@pytest.mark.parametrize("topic", ["transactions", "scores", "outcomes", "labels"])
def test_the_topics_behind_views_have_a_schema(topic: str) -> None:
    assert ("subject" if topic == "outcomes" else "card_id") in schema(EVENT_OF[topic])


def test_what_has_no_name_is_refused() -> None:
    with pytest.raises(TypeError, match="has no name in Spark's schema text"):
        schema(_Odd)
