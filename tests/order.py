"""The order of the files of tests: those that take longest first, so that no process is left with one of them at the end.

Only where files are handed out to several processes (``--dist loadfile``) does it matter; docs/measurements.md has the seconds.
"""

from __future__ import annotations

import pytest

#: By name, longest first; all others come after them, as they are.
LONGEST = (
    "test_chaos",
    "test_secure",
    "test_repartition",
    "test_loop",
    "test_clicks",
    "test_kills",
    "test_run",
    "test_platform",
    "test_parity_stream",
    "test_world",
    "test_producers",
    "test_registry",
    "test_several_units",
    "test_publications",
    "test_pipeline",
    "test_restart",
    "test_dlq",
    "test_shell",
    "test_members",
    "test_commit",
    "test_control",
)
_RANK = {name: rank for rank, name in enumerate(LONGEST)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _RANK.get(item.path.stem, len(_RANK)))
