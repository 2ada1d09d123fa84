"""The harness in small: every kind of fault once, on the real platform. ``make chaos`` runs hundreds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.chaos import report
from tests.chaos.plan import KINDS, plan, steps
from tests.chaos.run import Run

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

_RATE = 60.0


def test_a_schedule_is_a_function_of_its_seed_and_leaves_out_no_kind() -> None:
    assert plan(5, 40, 2) == plan(5, 40, 2) != plan(6, 40, 2)
    assert {fault.kind for fault in plan(5, len(KINDS), 2)} == set(KINDS)
    together = steps(plan(5, 200, 2))
    assert [fault for step in together for fault in step] == plan(5, 200, 2)
    assert {len(step) for step in together[: len(KINDS)]} == {1}
    assert {len(step) for step in together} == {1, 2}


def test_nothing_is_lost_repeated_or_changed_whatever_happens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    result = Run(tmp_path / "platform", seed=7, faults=len(KINDS), rate=_RATE, tell=lines.append).run()
    with capsys.disabled():
        sys.stdout.write("\n".join(["", *lines, report.table(report.summary(result, _RATE)), ""]))
    assert result.wrong == []
    assert result.counts["scores"] > 1000
    assert result.counts["alerts"] > 0
    assert result.counts["dead letters"] > 100
    assert result.counts["matured outcomes"] > 10
    assert result.counts["scores marked degraded"] > 0
