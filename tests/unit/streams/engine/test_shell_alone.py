"""What a shell does before it meets a broker. The rest is in tests/integration/test_shell."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from features.base.settings import Settings
from streams.engine.core import Output, Wait
from streams.engine.shell import Shell
from streams.kafka.records import Record
from streams.kafka.transactions import Stopped


class Plain:
    name = "plain"
    inputs: tuple[str, ...] = ("source",)
    outputs: tuple[str, ...] = ()
    replays: tuple[str, ...] = ()

    def process(self, records: Sequence[Record]) -> Output:
        return Output()

    def restore(self, records: Sequence[Record]) -> None: ...

    def forget(self, partitions: Sequence[tuple[str, int]]) -> None: ...


class Patient(Plain):
    def __init__(self) -> None:
        self.wait: Wait | None = None

    def wait_with(self, wait: Wait) -> None:
        self.wait = wait


def test_a_core_that_may_wait_is_handed_the_shells_way_to_do_so() -> None:
    core = Patient()
    shell = Shell(Settings(), core)
    assert core.wait == shell.wait
    shell.stop()
    with pytest.raises(Stopped):
        core.wait(0.0)


def test_a_shell_that_does_not_run_is_not_healthy() -> None:
    assert Shell(Settings(), Plain()).health() == ["plain: the group has assigned no partitions"]
