from __future__ import annotations

from pathlib import Path

import pytest

from features.archive.days import MARGIN_MS
from features.base.durations import DAY_MS
from infra.cli.job_days import whole_days
from infra.errors import PlatformError
from tests.unit.features.archive.test_days import put

DAY = 20_500


def test_only_whole_and_complete_days_are_taken(tmp_path: Path) -> None:
    for day in range(DAY, DAY + 4):
        put(tmp_path, day, 0, MARGIN_MS)
    assert whole_days(tmp_path, None, None) == (DAY, DAY + 3)
    assert whole_days(tmp_path, DAY * DAY_MS + 1, (DAY + 9) * DAY_MS) == (DAY + 1, DAY + 3)
    assert whole_days(tmp_path, None, (DAY + 2) * DAY_MS - 1) == (DAY, DAY + 1)
    assert whole_days(tmp_path, 0, None, named=False) == (DAY, DAY + 3)
    with pytest.raises(PlatformError, match="complete are 2026-02-16 to 2026-02-18"):
        whole_days(tmp_path, (DAY + 3) * DAY_MS, None)


def test_too_little_is_said(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="publish some first"):
        whole_days(tmp_path, None, None)
    put(tmp_path, DAY, 0, 5)
    with pytest.raises(PlatformError, match="no day is complete yet: all payments are of 2026-02-16"):
        whole_days(tmp_path, None, None)
