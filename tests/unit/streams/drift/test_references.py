"""References from the model store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.catalogue import vector
from streams.drift.references import ReferenceUnusable, StoredReferences
from tests.unit.streams.drift.synthetic import settings_for


def write(path: Path, names: tuple[str, ...]) -> None:
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({name: np.arange(4, dtype=np.float32) + i for i, name in enumerate(names)}), path)


def test_a_reference_has_the_order_of_the_vector(tmp_path: Path) -> None:
    store = StoredReferences(settings_for(tmp_path))
    write(store.path("v1"), ("score", *reversed(vector.NAMES)))
    reference = store.get("v1")
    assert reference.features.shape == (4, vector.WIDTH)
    assert reference.features[0, 0] == vector.WIDTH
    assert reference.scores.tolist() == [0, 1, 2, 3]


def test_a_reference_of_another_vector_says_what_it_lacks(tmp_path: Path) -> None:
    store = StoredReferences(settings_for(tmp_path))
    write(store.path("v1"), (*vector.NAMES[1:], "score"))
    with pytest.raises(ReferenceUnusable, match="lacks amount"):
        store.get("v1")


def test_a_version_without_reference_says_so(tmp_path: Path) -> None:
    with pytest.raises(ReferenceUnusable, match="v7 has no"):
        StoredReferences(settings_for(tmp_path)).get("v7")
