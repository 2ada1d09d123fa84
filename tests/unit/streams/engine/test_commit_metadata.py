"""What lies beside a committed offset is what was written, and nothing where somebody else wrote."""

from __future__ import annotations

import pytest

from streams.engine import commit_metadata
from streams.engine.commit_metadata import Note
from streams.engine.settings_history import MOST, Since

#: The broker refuses longer metadata (``offset.metadata.max.bytes``).
LONGEST = 4096


@pytest.mark.parametrize(
    "note", [Note(), Note(1), Note(2**40), Note(0, (Since(0, (1, 2)),)), Note(3, (Since(0, (1,)), Since(5, (2,))))]
)
def test_a_note_survives_the_metadata(note: Note) -> None:
    assert commit_metadata.read(note.text()) == note


def test_nothing_to_say_is_no_text() -> None:
    assert Note().text() == ""


@pytest.mark.parametrize(
    "metadata", [None, "", "free text", "[]", '{"copied":"x"}', '{"copied":-1}', '{"seen":7}', '{"limits":[[1]]}']
)
def test_another_tools_metadata_says_nothing(metadata: str | None) -> None:
    assert commit_metadata.read(metadata) == Note()


def test_the_longest_history_fits_the_metadata() -> None:
    days = 90 * 86_400_000
    history = tuple(Since(10**15 + n, (days, 10 * days, days + n)) for n in range(MOST))
    assert len(Note(10**15, history).text()) < LONGEST
