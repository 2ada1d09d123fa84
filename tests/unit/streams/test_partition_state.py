"""A snapshot says which code made it: code that keeps something else goes on from the log instead."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from features import state_version
from features.events import Transaction
from streams import partition_state

#: What is kept of ids, of the clock, and of cards.
KEPT = [
    ("streams", "admission.py"),
    ("streams", "admission_table.py"),
    ("streams", "event_clock.py"),
    ("streams", "hashing.py"),
    ("streams", "intake.py"),
    ("streams", "codec.py"),
    ("streams", "lead.py"),
    ("features", "card_arrays.py"),
    ("features", "card_state.py"),
    ("features", "segment.py"),
    ("features", "running.py"),
    ("features", "windows.py"),
]


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the sources, which the version is read from."""
    for package, module in (("streams", partition_state), ("features", state_version)):
        assert module.__file__ is not None
        shutil.copytree(Path(module.__file__).parent, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(partition_state, "__file__", str(tmp_path / "streams" / "partition_state.py"))
    monkeypatch.setattr(state_version, "_HERE", tmp_path / "features")
    yield tmp_path
    state_version.state_version.cache_clear()


def version() -> str:
    """As a process would find it that starts now."""
    state_version.state_version.cache_clear()
    return partition_state.version.__wrapped__()


@pytest.mark.parametrize(("package", "name"), KEPT)
def test_a_change_in_what_is_kept_changes_the_version(sources: Path, package: str, name: str) -> None:
    before = version()
    assert before == version(), "the same code has the same version"
    changed = sources / package / name
    changed.write_text(changed.read_text() + "\nCHANGED = True\n")
    assert version() != before


def test_a_new_field_of_a_payment_changes_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies are compared by the hash of their JSON: with one more field, each repeated payment would contradict its first."""
    before = version()

    class Wider(Transaction):
        channel: str | None = None

    monkeypatch.setattr(partition_state, "Transaction", Wider)
    assert version() != before


@pytest.mark.parametrize("name", ["scorer.py", "score_records.py", "shell.py"])
def test_a_change_elsewhere_leaves_the_snapshots_as_they_are(sources: Path, name: str) -> None:
    before = version()
    changed = sources / "streams" / name
    changed.write_text(changed.read_text() + "\nCHANGED = True\n")
    assert version() == before


def test_the_scorer_says_the_version_of_the_code_that_runs() -> None:
    assert partition_state.version() == version()
