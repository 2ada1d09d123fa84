from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from streams.simulate.card_fraud.options import AmountDrift, Fault, Options, PatternDrift, parse_drift, parse_fault, requested
from streams.simulate.simulator import Request


def test_specs_are_read() -> None:
    assert parse_drift("amounts=1.6@40") == AmountDrift(1.6, 40.0)
    assert parse_drift("pattern:stolen_card=off@45.5") == PatternDrift("stolen_card", False, 45.5)
    assert parse_fault("location_missing@50:2") == Fault("location_missing", 50.0, 2.0)
    assert parse_fault("amount_unit@50") == Fault("amount_unit", 50.0, 1.0)


@pytest.mark.parametrize(
    ("parse", "spec", "part"),
    [
        (parse_drift, "amounts", "NAME=VALUE@DAY"),
        (parse_drift, "amounts=1.6", "NAME=VALUE@DAY"),
        (parse_drift, "amounts=x@40", "the factor is 'x'"),
        (parse_drift, "amounts=0@40", "the factor is 0"),
        (parse_drift, "amounts=nan@40", "the factor is 'nan'"),
        (parse_drift, "amounts=1.6@-3", "the day is '-3'"),
        (parse_drift, "pattern:piracy=on@1", "no pattern 'piracy'"),
        (parse_drift, "pattern:stolen_card=maybe@1", "the value is 'maybe'"),
        (parse_drift, "prices=2@1", "no drift 'prices'"),
        (parse_fault, "amount_unit", "KIND@DAY:DAYS"),
        (parse_fault, "amount_unit@soon:1", "the day is 'soon'"),
        (parse_fault, "amount_unit@1:0", "the number of days is 0"),
        (parse_fault, "gremlins@1:1", "no fault 'gremlins'"),
    ],
)
def test_a_wrong_spec_names_its_part(parse: Callable[[str], object], spec: str, part: str) -> None:
    with pytest.raises(ValueError, match=part) as caught:
        parse(spec)
    assert spec in str(caught.value)


@pytest.mark.parametrize(("field", "value"), [("cards", 0), ("terminals", 3), ("seed", -1), ("fraud_rate", 0.9), ("rate", 0.0)])
def test_a_wrong_option_names_its_field(field: str, value: float) -> None:
    changed: dict[str, Any] = {field: value}
    with pytest.raises(ValueError, match=f"^{field} is {value}"):
        Options(**changed)


def test_withdrawn_labels_are_asked_for_by_their_share() -> None:
    assert requested(Request(date(2026, 1, 5), 7, withdrawn_rate=0.2)) == Options(withdrawn_rate=0.2)
    with pytest.raises(ValueError, match=r"withdrawn_rate is 1\.5; it must be from 0 to 1"):
        requested(Request(date(2026, 1, 5), 7, withdrawn_rate=1.5))
