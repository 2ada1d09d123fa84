"""The columns of a batch and of what Feast knew of it, as the compiled loop ``features.transform.generated.read_rows`` takes
them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Read(NamedTuple):
    """See ``features.transform.columns.Columns`` and ``features.transform.profiles.Profiles``."""

    time: NDArray[np.int64]
    measure: NDArray[np.int64]
    counterpart: NDArray[np.int32]
    category: NDArray[np.int64]
    latitude: NDArray[np.float32]
    longitude: NDArray[np.float32]
    owner: NDArray[np.float32]
    usual: NDArray[np.int64]
    tiles: NDArray[np.int64]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
