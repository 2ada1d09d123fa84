"""No processor is left out."""

from __future__ import annotations

import inspect
from pathlib import Path

from features.base.settings import Settings
from streams.engine.core import Core
from tests.contracts.found import modules
from tests.contracts.processors.contract import PARTITIONS
from tests.contracts.processors.test_processors import CONTRACTS

_OF_A_CORE = ("inputs", "outputs", "replays", "process", "restore", "forget")


def test_every_core_comes_under_the_contract(tmp_path: Path) -> None:
    settings = Settings(dir=tmp_path, partitions=PARTITIONS)
    here = {type(contract.make(contract.settings(settings))).__name__ for contract in CONTRACTS.values()}
    cores = {
        name
        for module in modules("streams")
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__ == module.__name__ and kind is not Core and all(hasattr(kind, part) for part in _OF_A_CORE)
    }
    assert here == cores, "a processor has no file in tests/contracts/processors, or a file no processor"
