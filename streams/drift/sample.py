"""A bounded sample that depends on the records alone, not on their order, their batches or the process."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.catalogue import vector


def priorities(ids: Sequence[str], seed: int) -> NDArray[np.uint32]:
    """Return a pseudo-random uint32 of each transaction id: the same wherever and whenever it is drawn."""
    drawn = np.fromiter((zlib.crc32(i.encode(), seed) for i in ids), dtype=np.uint32, count=len(ids))
    # CRC is linear in the id's bits; the finalizer of MurmurHash3 is not.
    drawn ^= drawn >> np.uint32(16)
    drawn *= np.uint32(0x85EBCA6B)
    drawn ^= drawn >> np.uint32(13)
    drawn *= np.uint32(0xC2B2AE35)
    drawn ^= drawn >> np.uint32(16)
    return drawn


class Sample:
    """The ``size`` rows of lowest priority: uniform over the rows offered, and at most twice ``size`` held."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._keys: NDArray[np.uint32] = np.empty(0, dtype=np.uint32)
        self._features: NDArray[np.float32] = np.empty((0, vector.WIDTH), dtype=np.float32)
        self._scores: NDArray[np.float32] = np.empty(0, dtype=np.float32)
        self._codes: NDArray[np.int32] = np.empty(0, dtype=np.int32)
        self._limit = np.uint32(0xFFFFFFFF)

    def offer(
        self,
        keys: NDArray[np.uint32],
        features: NDArray[np.float32],
        scores: NDArray[np.float32],
        codes: NDArray[np.int32],
    ) -> None:
        """Take rows: ``keys`` [n], ``features`` [n, WIDTH], ``scores`` [n] with NaN where there is none, ``codes`` [n]
        of the versions that made them."""
        take = keys <= self._limit
        if not take.any():
            return
        self._keys = np.concatenate([self._keys, keys[take]])
        self._features = np.concatenate([self._features, features[take]])
        self._scores = np.concatenate([self._scores, scores[take]])
        self._codes = np.concatenate([self._codes, codes[take]])
        if len(self._keys) > 2 * self._size:
            self._shrink()

    def _shrink(self) -> None:
        keep = np.argsort(self._keys, kind="stable")[: self._size]
        self._keys, self._features = self._keys[keep], self._features[keep]
        self._scores, self._codes = self._scores[keep], self._codes[keep]
        if len(keep) == self._size:
            self._limit = self._keys[-1]

    def rows(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
        """Return features [m, WIDTH], scores [m] and codes [m] of the sample, m <= size, in the order of their priorities."""
        self._shrink()
        return self._features, self._scores, self._codes
