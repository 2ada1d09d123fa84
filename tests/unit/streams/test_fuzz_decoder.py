"""Hostile records: each decodes or has one dead letter, nothing escapes. The long run is ``python -m tests.fuzz``."""

from __future__ import annotations

import itertools

from tests.fuzz.core import fuzz, restored_is_the_same
from tests.fuzz.hostile import Hostile


def test_every_record_is_scored_or_has_one_dead_letter() -> None:
    tally = fuzz(seed=20_261_125, n=100_000)
    assert tally.valid + tally.letters + tally.duplicates == 100_000
    assert tally.duplicates > 100
    assert min(tally.valid, tally.letters) > 30_000
    assert set(tally.by_error) >= {
        "ValidationError",
        "DecodeError",
        "UnicodeDecodeError",
        "RecursionError",
        "EmptyValue",
        "ConflictingTransaction",
    }


def test_whatever_came_is_restored_as_it_was_taken() -> None:
    restored_is_the_same(seed=20_261_125, n=20_000, probe=5_000)


def test_the_same_seed_gives_the_same_records() -> None:
    first, again, other = (list(itertools.islice(Hostile(seed), 300)) for seed in (1, 1, 2))
    assert first == again != other
