"""What a window is compared with: a sample of the training window of the model version that scored it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from features.base.settings import Settings
from features.base.storage import local_copy
from features.catalogue import vector


class ReferenceUnusable(ValueError):
    """A version has no reference, or one that does not fit the vector; the message says which and what to do."""


@dataclass(frozen=True)
class Reference:
    """Training sample of one version: ``features`` float32 [m, WIDTH] and that version's own ``scores`` float32 [m]."""

    version: str
    features: NDArray[np.float32]
    scores: NDArray[np.float32]


class References(Protocol):
    """Gives the reference of a model version."""

    def get(self, version: str) -> Reference:
        """Return the version's reference. Raises ReferenceUnusable."""
        ...


class StoredReferences:
    """Reads ``<model store>/versions/<version>/reference.parquet``: the columns of the vector, and ``score``."""

    def __init__(self, settings: Settings) -> None:
        self._root, self._cache = settings.models_root, settings.model_cache

    def path(self, version: str) -> Path:
        """Return its file on this host; fetched first from a model store elsewhere. Raises FileNotFoundError where that has
        none."""
        return local_copy(self._root, "storage.models", f"versions/{version}/reference.parquet", self._cache)

    def get(self, version: str) -> Reference:
        import pyarrow.parquet as pq

        try:
            path = self.path(version)
            present = path.exists()
        except FileNotFoundError:
            present = False
        if not present:
            raise ReferenceUnusable(f"{version} has no reference.parquet in the model store; train it again to get one")
        table = pq.read_table(path)
        absent = [name for name in (*vector.NAMES, "score") if name not in table.column_names]
        if absent:
            raise ReferenceUnusable(f"{path.name} of {version} lacks {', '.join(absent)}; train it again with this vector")
        if table.num_rows == 0:
            raise ReferenceUnusable(f"{path.name} of {version} has no rows; train it again")
        features = np.column_stack([table.column(name).to_numpy() for name in vector.NAMES]).astype(np.float32)
        return Reference(version, features, table.column("score").to_numpy().astype(np.float32))
