"""Worlds of several currencies: the same payments, worth the same, in what their terminals take."""

from __future__ import annotations

import numpy as np
import pytest

from features.base.conversion import Converter
from features.base.rates import parse
from features.domains.card_fraud.currencies import PLACES
from streams.simulate.card_fraud.currencies import WORTH
from streams.simulate.card_fraud.options import Options
from streams.simulate.card_fraud.simulation import Simulation

SEVERAL = ("EUR", "HUF", "JPY", "KWD")


def world(*currencies: str) -> Simulation:
    return Simulation(Options(cards=300, terminals=60, currencies=currencies))


def test_payments_are_the_same_and_worth_the_same() -> None:
    single, several = world("EUR"), world(*SEVERAL)
    rates = parse(several.rates(0, 3), "rates", "EUR", PLACES)
    for n in range(3):
        plain, foreign = single.day(n).transactions, several.day(n).transactions
        assert set(foreign.currency.tolist()) == set(SEVERAL)
        assert 0.2 < (foreign.currency == "EUR").mean() < 0.8
        assert plain.event_id.tolist() == foreign.event_id.tolist()
        converted = Converter("EUR", PLACES, 100, rates, "currency").convert(
            foreign.currency.tolist(), foreign.measure, foreign.event_time_ms, np.zeros(len(foreign), dtype=np.int64)
        )
        assert not converted.reasons
        # Half a yen is a third of a cent, half a forint less; and one of them is the least.
        np.testing.assert_allclose(converted.measure, plain.measure, atol=1)
        in_euros = foreign.currency == "EUR"
        np.testing.assert_array_equal(foreign.measure[in_euros], plain.measure[in_euros])


def test_rates_are_a_function_of_the_seed_and_the_day() -> None:
    assert world(*SEVERAL).rates(0, 2) == world(*SEVERAL).rates(0, 1) + world(*SEVERAL).rates(1, 2).split("\n", 1)[1]
    assert world(*SEVERAL).rates(0, 1) != world(*SEVERAL).rates(1, 2)


def test_a_currency_without_a_worth_is_refused() -> None:
    with pytest.raises(ValueError, match=f"currencies is .*; it must be of {', '.join(WORTH)}"):
        world("EUR", "XAU")
