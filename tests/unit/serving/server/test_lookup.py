from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from features.base.redaction import hashed
from features.base.settings import Settings, load
from features.catalogue.vector import SCHEMA, WIDTH
from features.online.store import Activity, ProfilesUnavailable
from serving.server.errors import FeaturesUnavailable, InvalidVectors, TooLarge, UnknownSubject, WrongSchema
from serving.server.lookup import MAX_IDS, Lookup


class Reader:
    """Cards c1 and c2 have a vector, c3 one of an old schema; c4 brings the store down."""

    def activity(self, subjects: Sequence[str]) -> list[Activity | None]:
        if "c4" in subjects:
            raise ProfilesUnavailable("Redis did not answer")
        return [self._one(subject) for subject in subjects]

    def _one(self, subject: str) -> Activity | None:
        if subject not in {"c1", "c2", "c3"}:
            return None
        number = int(subject[1])
        vector = np.full(WIDTH, number, dtype=np.float32)
        return Activity(subject, 0, vector, "old" if number == 3 else SCHEMA, None, "t")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(tmp_path)


def test_vectors_come_in_the_order_asked(settings: Settings) -> None:
    rows = Lookup(settings, Reader()).vectors(["c2", "c1", "c2"], SCHEMA)
    assert rows.shape == (3, WIDTH)
    assert rows.dtype == np.float32
    assert rows[:, 0].tolist() == [2.0, 1.0, 2.0]


def test_unknown_cards_are_named(settings: Settings) -> None:
    with pytest.raises(UnknownSubject) as refused:
        Lookup(settings, Reader()).vectors(["c1", "c7", "c8", "c9", "x1", "x2", "x3"], SCHEMA)
    assert f"2 ({hashed(settings, 'c7')}), 3 ({hashed(settings, 'c8')}), 4 (" in str(refused.value)
    assert "and 1 more is known" in str(refused.value)
    assert "c7" not in re.sub(r"#[0-9a-f]{12}", "", str(refused.value)), "a hash may hold the letters"


def test_vectors_of_another_schema_are_refused(settings: Settings) -> None:
    with pytest.raises(WrongSchema, match=r"card number 2 \(#[0-9a-f]{12}\) was made under another schema"):
        Lookup(settings, Reader()).vectors(["c1", "c3"], SCHEMA)


def test_a_store_that_is_down_is_said_so(settings: Settings) -> None:
    with pytest.raises(FeaturesUnavailable, match="online store does not answer"):
        Lookup(settings, Reader()).vectors(["c4"], SCHEMA)


@pytest.mark.parametrize("ids", [None, "c1", [], [1], [""], ["c" * 65], {"c1": 1}, ["c1", None]])
def test_what_are_no_ids_is_refused(settings: Settings, ids: object) -> None:
    with pytest.raises(InvalidVectors, match="user_id"):
        Lookup(settings, Reader()).vectors(ids, SCHEMA)


def test_too_many_ids_are_refused(settings: Settings) -> None:
    with pytest.raises(TooLarge, match="1,000"):
        Lookup(settings, Reader()).vectors(["c1"] * (MAX_IDS + 1), SCHEMA)
