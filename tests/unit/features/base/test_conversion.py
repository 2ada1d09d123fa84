"""Conversion against a naive reference in Decimal, as of the event and of what was known."""

from __future__ import annotations

import random
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

import numpy as np
import pytest

from features.base.conversion import MOST, Converter, MeasureTooLarge, RateMissing, UnknownUnit, scaled
from features.base.rates import Rate
from features.domains.card_fraud.currencies import PLACES

DAY = 86_400_000
#: A unit of each number of decimal places.
OTHERS = ("HUF", "JPY", "KWD", "CLF", "USD")
_EXACT = Context(prec=200, rounding=ROUND_HALF_EVEN)


def converter(rates: list[Rate], reference: str = "EUR") -> Converter:
    return Converter(reference, PLACES, 100, rates, "currency", "payment")


def convert(by: Converter, unit: str, measure: int, time: int = 5 * DAY, appended: int = 0) -> int | ValueError:
    numbers = (np.array([number], dtype=np.int64) for number in (measure, time, appended))
    converted = by.convert([unit], *numbers)
    return converted.reasons.get(0, int(converted.measure[0]))


def naive(rates: list[Rate], reference: str, unit: str, measure: int, time: int, appended: int) -> int | None:
    """One event by itself: the newest valid rate that was known, exact decimals, rounded once."""
    rate = Decimal(1)
    if unit != reference:
        good = [r for r in rates if r.unit == unit and r.valid_from_ms <= time and (appended == 0 or r.known_ms <= appended)]
        if not good:
            return None
        rate = Decimal(max(good, key=lambda r: r.valid_from_ms).rate)
    value = _EXACT.multiply(_EXACT.multiply(Decimal(measure), rate), Decimal(100)).scaleb(-PLACES[unit], _EXACT)
    return int(value.quantize(Decimal(1), context=_EXACT))


@pytest.mark.parametrize("seed", range(60))
def test_random_tables_give_what_decimals_give(seed: int) -> None:
    dice = random.Random(seed)
    reference = dice.choice(("EUR", "EUR", "JPY", "KWD"))
    rates = []
    for unit in set(OTHERS) - {reference}:
        for day in dice.sample(range(10), dice.randint(0, 4)):
            text = f"{dice.randint(1, 10 ** dice.randint(1, 9))}E-{dice.randint(0, 8)}"
            rates.append(Rate(unit, day * DAY, text, dice.choice((0, 0, 50, 80))))
    n = 200
    units = [dice.choice((*OTHERS, reference)) for _ in range(n)]
    measure = [dice.choice((0, 1, 5, dice.randint(0, 100_000), dice.randint(0, MOST))) for _ in range(n)]
    time = [dice.randint(0, 10 * DAY) for _ in range(n)]
    appended = [dice.choice((0, 40, 50, 60, 90)) for _ in range(n)]
    converted = converter(rates, reference).convert(
        units, np.array(measure, dtype=np.int64), np.array(time, dtype=np.int64), np.array(appended, dtype=np.int64)
    )
    for i in range(n):
        wanted = naive(rates, reference, units[i], measure[i], time[i], appended[i])
        if wanted is None:
            assert isinstance(converted.reasons[i], RateMissing)
        elif wanted > MOST:
            assert isinstance(converted.reasons[i], MeasureTooLarge)
        else:
            assert i not in converted.reasons
            assert converted.measure[i] == wanted


def test_events_in_the_reference_unit_are_handed_through() -> None:
    measure = np.array([5, 7], dtype=np.int64)
    assert converter([]).convert(["EUR", "EUR"], measure, measure, measure).measure is measure


@pytest.mark.parametrize(("measure", "wanted"), [(1, 0), (3, 2), (5, 2), (7, 4), (2, 1)])
def test_halves_are_rounded_to_even(measure: int, wanted: int) -> None:
    for factor in (Fraction(1, 2), Fraction(10**25, 2 * 10**25)):
        assert scaled(np.array([measure], dtype=np.int64), factor).tolist() == [wanted]
    # Beyond what 64 bits can multiply.
    slow = Fraction(10**24 + 1, 2 * 10**24)
    assert scaled(np.array([measure], dtype=np.int64), slow).tolist() == [round(measure * slow)]


def test_a_rate_counts_from_its_time_and_once_it_is_known() -> None:
    by = converter([Rate("HUF", 2 * DAY, "0.002"), Rate("HUF", 4 * DAY, "0.003", known_ms=1000)])
    assert convert(by, "HUF", 100_000, 2 * DAY) == 200
    assert convert(by, "HUF", 100_000, 4 * DAY - 1, 2000) == 200
    assert convert(by, "HUF", 100_000, 4 * DAY, 1000) == 300
    assert convert(by, "HUF", 100_000, 4 * DAY, 999) == 200
    assert isinstance(convert(by, "HUF", 100_000, 2 * DAY - 1), RateMissing)


def test_a_table_that_grew_changes_nothing_of_before() -> None:
    small = [Rate("HUF", DAY, "0.002")]
    grown = [*small, Rate("HUF", 3 * DAY, "0.009", known_ms=5000), Rate("HUF", 0, "0.001", known_ms=5000)]
    for time in (0, DAY, 3 * DAY, 5 * DAY):
        before, after = (convert(converter(table), "HUF", 12_345, time, 4999) for table in (small, grown))
        assert before == after or (isinstance(before, RateMissing) and isinstance(after, RateMissing))


def reason_of(by: Converter, unit: str, measure: int = 100, time: int = 5 * DAY, appended: int = 0) -> str:
    reason = convert(by, unit, measure, time, appended)
    assert isinstance(reason, ValueError)
    return str(reason)


def test_a_missing_rate_names_the_unit_the_time_and_the_row_to_add() -> None:
    text = reason_of(converter([Rate("JPY", 0, "0.006")]), "HUF", time=1_767_261_600_500)
    assert text.startswith(
        "currency is HUF, and there is no rate for it at 2026-01-01T10:00:00Z (UTC); put a row HUF,2026-01-01,RATE"
    )
    assert "(EUR for one HUF)" in text
    assert "driftloop rates add FILE and driftloop dlq replay" in text
    assert "units.reference" not in text


def test_without_any_rates_the_reference_is_the_other_way_out() -> None:
    assert '[units] reference = "USD"' in reason_of(converter([]), "USD")


def test_a_rate_that_counts_soon_is_told() -> None:
    text = reason_of(converter([Rate("HUF", 0, "0.002", known_ms=1_767_261_600_500)]), "HUF", appended=1_767_261_600_000)
    assert "counts for what the broker takes from 2026-01-01T10:00:01Z on only" in text


def test_an_unknown_unit_is_none() -> None:
    assert isinstance(convert(converter([]), "ABC", 100), UnknownUnit)
    assert reason_of(converter([]), "ABC").startswith("currency is 'ABC', which is none;")


def test_what_is_too_large_in_the_reference_unit_is_refused() -> None:
    assert "is more than 1,000,000,000 EUR" in reason_of(converter([Rate("USD", 0, "1.1")]), "USD", MOST)
    assert isinstance(convert(converter([], "JPY"), "JPY", MOST), MeasureTooLarge)
