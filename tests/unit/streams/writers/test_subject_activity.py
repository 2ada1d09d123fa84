"""The newest score of each card in a batch."""

from __future__ import annotations

from streams.writers.subject_activity import FeastWriter
from tests.unit.streams.records import T0, record, score


def test_one_row_a_card_the_newest() -> None:
    records = [
        record("scores", 0, score("a1", T0 + 2, subject="a", first_feature=1.0)),
        record("scores", 1, score("b1", T0, subject="b", value=None)),
        record("scores", 2, score("a2", T0 + 1, subject="a")),
        record("scores", 3, score("a3", T0 + 2, subject="a", first_feature=3.0)),
    ]
    rows = {row.subject: row for row in FeastWriter().process(records).rows}
    assert rows["a"].event_id == "a3"
    assert rows["a"].vector[0] == 3.0
    assert rows["a"].event_time_ms == T0 + 2
    assert rows["b"].score is None
    assert len(rows) == 2


def test_a_bad_score_becomes_a_dead_letter() -> None:
    output = FeastWriter().process([record("scores", 7, b"[]"), record("scores", 8, score("x", T0))])
    assert [p.topic for p in output.produce] == ["dlq"]
    assert len(output.rows) == 1
