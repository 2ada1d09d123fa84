from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from features.domains.card_fraud.event import Payment
from streams.publish.batch import Batch, Labels
from streams.publish.encode import encode_events
from streams.publish.files import write_files
from streams.publish.limits import LimitError, check, first_wrong, first_wrong_label
from streams.simulate.card_fraud.options import Options, parse_drift, parse_fault
from streams.simulate.card_fraud.simulation import Simulation

DAY = Simulation(Options(cards=50, terminals=40, fraud_rate=0.2)).day(0)
N = len(DAY.transactions)


def column(value: Any, dtype: Any) -> np.ndarray[Any, Any]:
    """A column of the day with ``value`` in every row."""
    return np.array([value] * N, dtype=dtype)


@pytest.mark.parametrize(
    ("attribute", "value", "dtype", "good"),
    [
        ("event_id", "x" * 64, object, True),
        ("event_id", "x" * 65, object, False),
        ("subject", "", object, False),
        ("subject", None, object, False),
        ("subject", "\ud800", object, False),
        ("counterpart", "\U0001f600" * 64, object, True),
        ("measure", 0, np.int64, True),
        ("measure", 10**11, np.int64, True),
        ("measure", 10**11 + 1, np.int64, False),
        ("measure", -1, np.int64, False),
        ("event_time_ms", 946_684_800_000, np.int64, True),
        ("event_time_ms", 946_684_799_999, np.int64, False),
        ("event_time_ms", 4_102_444_800_000, np.int64, False),
        ("currency", "EUR", object, True),
        ("currency", "EUR\n", object, False),
        ("currency", "eur", object, False),
        ("latitude", 90.0, np.float64, True),
        ("latitude", 90.1, np.float64, False),
        ("longitude", -180.1, np.float64, False),
        ("longitude", np.inf, np.float64, False),
        ("country", None, object, True),
        ("country", "x" * 65, object, False),
        ("category", "x" * 64, object, True),
        ("category", "x" * 65, object, False),
        ("mode", 4, np.int8, True),
        ("mode", 5, np.int8, False),
        ("flag", 2, np.int8, False),
        ("kind", 3, np.int8, True),
        ("kind", 4, np.int8, False),
    ],
)
def test_what_passes_is_what_a_processor_decodes(attribute: str, value: Any, dtype: Any, good: bool) -> None:
    events = DAY.transactions.changed(**{attribute: column(value, dtype)})
    wrong = first_wrong(events)
    assert (wrong is None) == good
    if good:
        assert all(msgspec.json.decode(line, type=Payment) for line in encode_events(events))
    else:
        assert wrong is not None
        assert wrong.attribute == attribute
        assert wrong.row == 0
        if dtype is not np.int8 and value != np.inf:
            # Those two would be left out without a word.
            with pytest.raises((msgspec.ValidationError, UnicodeError)):
                for line in encode_events(events):
                    msgspec.json.decode(line, type=Payment)


def test_labels_have_times_too() -> None:
    late = replace(DAY.labels, label_time_ms=np.full(len(DAY.labels), 4_102_444_800_000))
    assert first_wrong_label(DAY.labels) is None
    wrong = first_wrong_label(late)
    assert wrong is not None
    assert wrong.name == "label_time_ms"


def test_a_batch_with_a_wrong_value_is_not_written(tmp_path: Path) -> None:
    bad: Batch = replace(DAY, transactions=DAY.transactions.changed(category=column("x" * 65, object)))
    before = tmp_path / "f.jsonl"
    before.write_text("as it was")
    with pytest.raises(LimitError, match=r"merchant_category of '[tk]7-0000\d+' has 65 characters, and it may have 64 at most"):
        write_files([DAY, bad], before)
    assert before.read_text() == "as it was"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.jsonl"]


def test_no_drift_and_fault_together_leave_the_limits() -> None:
    options = Options(cards=3000, terminals=60, drifts=(parse_drift("amounts=100@0"),), faults=(parse_fault("amount_unit@0:9"),))
    check(Simulation(options).day(3))


def test_an_empty_batch_is_well() -> None:
    check(replace(DAY, transactions=DAY.transactions.take(slice(0, 0)), labels=DAY.labels.take(slice(0, 0))))
    assert isinstance(DAY.labels, Labels)
