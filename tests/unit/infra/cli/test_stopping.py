from __future__ import annotations

import shlex

import pytest

from infra.cli import context
from infra.cli.stopping import going_on
from infra.errors import PlatformError


def test_an_interrupt_says_how_far_it_came_and_goes_on_its_way(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), going_on(lambda: "3 days are done"):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "driftloop: interrupted. 3 days are done\n"


def test_an_error_ends_with_the_way_on() -> None:
    with pytest.raises(PlatformError, match=r"^the disk is full\. 3 days are done$"), going_on(lambda: "3 days are done"):
        raise PlatformError("the disk is full")


def test_the_command_line_can_be_pasted_into_a_shell() -> None:
    arguments = ["--dir", "a folder", "replay", "it's.csv", "--again"]
    context.called(arguments)
    assert shlex.split(context.called_with("--resume")) == ["driftloop", *arguments[:-1], "--resume"]
    assert context.called_with() == context.called_with("--dir")
    context.called([*arguments, "--resume"])
    assert shlex.split(context.called_with("--resume")).count("--resume") == 1
