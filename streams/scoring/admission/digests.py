"""Ids and bodies as numbers: 128 bits by MurmurHash3, the same in every process and after every restart."""

from __future__ import annotations

from collections.abc import Iterable

import mmh3
import numpy as np
from numpy.typing import NDArray


def digests(values: Iterable[bytes]) -> NDArray[np.int64]:
    """Return two 64-bit numbers for each value, int64 [n, 2]."""
    return np.frombuffer(b"".join(map(mmh3.mmh3_x64_128_digest, values)), dtype="<i8").reshape(-1, 2)
