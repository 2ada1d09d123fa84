"""Places that stay unique when the log is made anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.archive import generations
from features.archive.generations import NAME, Generation, Generations, GenerationsBroken


def test_without_a_repartition_places_are_kafkas_own(tmp_path: Path) -> None:
    past = generations.read(tmp_path)
    assert (past.number, past.revisions, past.partition(3), past.of_letter(10)) == (0, 0, 3, 0)


def test_each_repartition_begins_one_generation_however_often_it_is_written(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    first, second = Generation(1, 6, 500, 10), Generation(2, 3, 900, 10)
    for generation in (first, first, second, second):
        generations.begin(archive, generation)
    past = generations.read(archive)
    assert past == Generations((first, second))
    assert (past.number, past.revisions) == (2, 900)
    places = {past.partition(2), Generations((first,)).partition(2), Generations().partition(2)}
    assert len(places) == 3
    assert [generations.of(place) for place in sorted(places)] == [0, 1, 2]
    # The letter at 9 came before both, that at 10 after both.
    assert (past.of_letter(9), past.of_letter(10)) == (0, 2)


def test_a_broken_file_is_told(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("{")
    with pytest.raises(GenerationsBroken, match=r"generations\.json.*restore it"):
        generations.read(tmp_path)
