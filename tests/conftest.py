"""What all tests share: nothing of the user's own platform leaks in, and no skip goes unseen."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.order import pytest_collection_modifyitems
from tests.skips import pytest_sessionfinish, pytest_terminal_summary

__all__ = ["pytest_collection_modifyitems", "pytest_sessionfinish", "pytest_terminal_summary"]

# A folder or a setting in the caller's environment would win over what a test chooses. The domain of tests/contracts/domains is
# the caller's choice.
KEPT = ("DRIFTLOOP_CACHE", "DRIFTLOOP_DOMAIN")
for name in [name for name in os.environ if name.startswith("DRIFTLOOP_") and name not in KEPT]:
    del os.environ[name]
os.environ["DO_NOT_TRACK"] = "1"
# A platform writes its ports down and takes some of them later: processes that test side by side each have ports of their own.
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 6
os.environ["DRIFTLOOP_PORT_RANGE"] = f"{20_000 + 2_000 * _worker}-{21_999 + 2_000 * _worker}"


@pytest.fixture(autouse=True)
def _no_folder_is_left_chosen() -> Iterator[None]:
    """``driftloop --dir`` chooses a folder for the whole process: the next test must not work in it."""
    before = os.environ.get("DRIFTLOOP_DIR")
    yield
    if before is None:
        os.environ.pop("DRIFTLOOP_DIR", None)
    else:
        os.environ["DRIFTLOOP_DIR"] = before
