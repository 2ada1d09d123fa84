"""The vector: the catalogue's features in their order, and the hash of what they mean.

A change of the catalogue, or of the code that its formulas run in, needs ``make features``, which writes ``features.generated``
and docs/features.md anew; until then nothing starts.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from features.catalogue import DEFAULT_AMOUNT_LIMIT, FEATURES, Feature, Source

__all__ = [
    "FEATURES",
    "INDEX",
    "NAMES",
    "N_STREAM",
    "SCHEMA",
    "SERVICE",
    "WIDTH",
    "Feature",
    "Source",
    "packed",
    "schema_hash",
    "unpacked",
]

NAMES: tuple[str, ...] = tuple(f.name for f in FEATURES)
INDEX: dict[str, int] = {name: i for i, name in enumerate(NAMES)}
WIDTH = len(NAMES)
SERVICE = "fraud_v1"

#: The columns that the stream's own state gives; the rest is read from Feast.
N_STREAM = sum(f.source in ("transaction", "card") for f in FEATURES)


def schema_hash(amount_limit: int = DEFAULT_AMOUNT_LIMIT) -> str:
    """Short hash of names, order, formulas, missing values and the amount limit: vectors with another are not comparable."""
    text = "|".join(f"{f.name}:{f.formula}:{f.missing!r}" for f in FEATURES)
    if amount_limit != DEFAULT_AMOUNT_LIMIT:
        text += f"|AMOUNT_LIMIT={amount_limit}"
    return f"{SERVICE}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


#: That of the default settings. Code that has settings asks them: ``settings.features.vector_schema``.
SCHEMA = schema_hash()


def packed(vector: NDArray[np.float32]) -> bytes:
    """A vector [k] as events carry it: little-endian float32."""
    return vector.astype("<f4").tobytes()


def unpacked(data: bytes) -> NDArray[np.float32]:
    """The inverse of ``packed``: float32 [k], read-only."""
    return np.frombuffer(data, dtype="<f4")
