"""One suite for every detector: silent on calm data, quick after a change, the same each time."""

from __future__ import annotations

import numpy as np
import pytest

from tests.contracts.detectors.contract import Contract, Draw
from tests.contracts.found import modules

CONTRACTS: dict[str, Contract] = {
    module.__name__.rsplit(".", 1)[1]: module.CONTRACT
    for module in modules("tests.contracts.detectors")
    if hasattr(module, "CONTRACT")
}
#: What else lies beside the detectors.
PARTS = {
    "streams.drift.data.columns",
    "streams.drift.data.counts",
    "streams.drift.data.looks",
    "streams.drift.data.score_windows",
    "streams.drift.data.tables",
    "streams.drift.data.undrawn",
    "streams.drift.performance.mature_outcomes",
    "streams.drift.performance.paired",
    "streams.drift.performance.precision",
}

every_detector = pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
every_change = pytest.mark.parametrize(
    ("contract", "changed"),
    [(contract, changed) for contract in CONTRACTS.values() for changed in contract.changes.values()],
    ids=[f"{name}-{change}" for name, contract in CONTRACTS.items() for change in contract.changes],
)


def test_every_detector_comes_under_the_contract() -> None:
    detectors = {module.__name__ for package in ("data", "performance") for module in modules(f"streams.drift.{package}")}
    assert {contract.detector for contract in CONTRACTS.values()} == detectors - PARTS, (
        "a detector has no file in tests/contracts/detectors, or a part of one is not among PARTS"
    )
    assert detectors >= PARTS


@every_detector
def test_calm_data_give_no_alarm(contract: Contract) -> None:
    alarms = 0
    for seed in range(contract.seeds):
        rng, look = np.random.default_rng(seed), contract.make()
        alarms += sum(bool(look(contract.calm(rng, day), day)) for day in range(contract.days))
    assert alarms <= contract.false_alarms


@every_change
def test_an_abrupt_change_is_found_in_time(contract: Contract, changed: Draw) -> None:
    for seed in range(100, 100 + contract.seeds):
        rng, look = np.random.default_rng(seed), contract.make()
        for day in range(contract.before):
            look(contract.calm(rng, day), day)
        after = range(contract.before, contract.before + contract.delay)
        assert any(look(changed(rng, day), day) for day in after), f"not within {contract.delay} windows, by seed {seed}"


@every_change
def test_the_same_windows_give_the_same_each_time(contract: Contract, changed: Draw) -> None:
    verdicts = []
    for look in (contract.make(), contract.make()):
        rng = np.random.default_rng(7)
        windows = [contract.calm(rng, day) for day in range(3)] + [changed(rng, 3 + day) for day in range(contract.delay)]
        verdicts.append([look(window, day) for day, window in enumerate(windows)])
    assert verdicts[0] == verdicts[1]
    assert any(verdicts[0])


@every_change
def test_the_order_within_a_window_makes_no_difference_where_that_is_claimed(contract: Contract, changed: Draw) -> None:
    if contract.shuffled is None:
        return
    rng, order = np.random.default_rng(8), np.random.default_rng(9)
    look, other = contract.make(), contract.make()
    windows = [contract.calm(rng, day) for day in range(3)] + [changed(rng, 3 + day) for day in range(contract.delay)]
    pairs = [(look(window, day), other(contract.shuffled(order, window), day)) for day, window in enumerate(windows)]
    assert all(contract.same(*pair) for pair in pairs)
    assert any(pair[0] for pair in pairs)
