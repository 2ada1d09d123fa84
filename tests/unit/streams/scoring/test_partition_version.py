"""A snapshot says which code made it: code that keeps something else goes on from the log instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.base.fingerprint import modules
from features.base.rooms import PARTITION
from features.domains.card_fraud.event import Payment
from features.history.version import SOURCES
from streams.engine import core
from streams.scoring import partition_version
from streams.scoring.partition_version import version


def test_a_change_in_what_is_kept_of_cards_changes_the_version(tmp_path: Path) -> None:
    changed = tmp_path / "changed.py"
    changed.write_text("CHANGED = True\n")
    of_subjects, of_the_rest = version(of_subjects=(*SOURCES, changed)).split("-")
    assert of_subjects != version().split("-")[0]
    assert of_the_rest == version().split("-")[1]


def test_a_new_field_of_a_payment_changes_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies are compared by the hash of their JSON: with one more field, each repeated payment would contradict its first."""
    before = version()

    class Wider(Payment):
        channel: str | None = None

    monkeypatch.setattr(partition_version, "Event", Wider)
    assert version.__wrapped__() != before


def hashed() -> set[str]:
    return {module.name for place in (*PARTITION, *SOURCES) for module in modules(place)}


def test_what_copies_the_state_is_part_of_the_version() -> None:
    assert hashed() >= {"partition_state.py", "copy_on_write.py", "admission.py", "state.py"}


@pytest.mark.parametrize("name", ["scorer.py", "score_records.py", "shell.py"])
def test_a_change_elsewhere_leaves_the_snapshots_as_they_are(name: str) -> None:
    rooms = [Path(module.__file__ or "").parent for module in (partition_version, core)]
    assert any((room / name).exists() for room in rooms)
    assert name not in hashed()


def test_a_process_keeps_the_version_that_it_started_with(tmp_path: Path) -> None:
    """An update of the files under a process that runs is none of its code."""
    source = tmp_path / "source.py"
    source.write_text("KEPT = 1\n")
    before = version((source,))
    source.write_text("KEPT = 2\n")
    assert version((source,)) == before
    assert version.__wrapped__((source,)) != before
