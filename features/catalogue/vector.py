"""The vector: the catalogue's features in their order, and the hash of what they mean.

A change of the catalogue, or of the code that its formulas run in, needs ``make features``, which writes
``features.transform.generated`` and docs/features.md anew; until then nothing starts.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.base.fingerprint import canonical
from features.base.rooms import FORMULAS
from features.base.settings import DEFAULT_AMOUNT_LIMIT, Features
from features.catalogue.entries import FEATURES, Feature, Source

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
    "vector_schema",
]

NAMES: tuple[str, ...] = tuple(f.name for f in FEATURES)
INDEX: dict[str, int] = {name: i for i, name in enumerate(NAMES)}
WIDTH = len(NAMES)
SERVICE = "fraud_v1"

#: The columns that the stream's own state gives; the rest is read from Feast.
N_STREAM = sum(f.source in ("transaction", "card") for f in FEATURES)


#: Imports do not count, but until 2026-11-30 they did: these stood in FORMULAS then. The schema of each stored vector, model and
#: training set was made with them, so they stay part of what is hashed, whatever those files import now.
#: Never edited: not where a module is renamed either.
_COUNTED_ONCE = (
    "from __future__ import annotations\nimport math\nfrom features.compiled import compiled",
    "from __future__ import annotations\nimport math\nfrom features.compiled import compiled",
    "from __future__ import annotations",
)


@cache
def _meaning(formulas: tuple[Path, ...] = FORMULAS) -> str:
    """The code behind the formulas. Other code may be written anew as long as it gives the same bits, which the naive reference
    and parity watch over; a change of this is a change of meaning.
    """
    code = (canonical(path.read_text()) for path in formulas)
    return "|".join("\n".join(part) for part in zip(_COUNTED_ONCE, code, strict=True))


def schema_hash(amount_limit: int = DEFAULT_AMOUNT_LIMIT, formulas: tuple[Path, ...] = FORMULAS) -> str:
    """Short hash of names, order, formulas and what they call, missing values and the amount limit.

    ``formulas``: the sources of FORMULAS, in its order. Vectors with another hash are not comparable.
    """
    text = "|".join(f"{f.name}:{f.formula}:{f.missing!r}" for f in FEATURES) + "|" + _meaning(formulas)
    if amount_limit != DEFAULT_AMOUNT_LIMIT:
        text += f"|AMOUNT_LIMIT={amount_limit}"
    return f"{SERVICE}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def vector_schema(features: Features) -> str:
    """The schema of the vectors that are made with these settings: a model of another one is refused."""
    return schema_hash(features.amount_limit)


#: That of the default settings. Code that has settings asks ``vector_schema``.
SCHEMA = schema_hash()


def packed(vector: NDArray[np.float32]) -> bytes:
    """A vector [k] as events carry it: little-endian float32."""
    return vector.astype("<f4").tobytes()


def unpacked(data: bytes) -> NDArray[np.float32]:
    """The inverse of ``packed``: float32 [k], read-only."""
    return np.frombuffer(data, dtype="<f4")
