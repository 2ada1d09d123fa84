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

from features.base.active import DOMAIN
from features.base.feature import STREAM, Feature, Source
from features.base.fingerprint import canonical
from features.base.rooms import FORMULAS
from features.base.sections import Features

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

FEATURES: tuple[Feature, ...] = DOMAIN.features
NAMES: tuple[str, ...] = tuple(f.name for f in FEATURES)
INDEX: dict[str, int] = {name: i for i, name in enumerate(NAMES)}
WIDTH = len(NAMES)
SERVICE = DOMAIN.service

#: The columns that the stream's own state gives; the rest is read from Feast.
N_STREAM = sum(f.source in STREAM for f in FEATURES)


@cache
def _text(features: tuple[Feature, ...], formulas: tuple[Path, ...]) -> str:
    """Return what is hashed: names, order, formulas and what they call, missing values, and the domain's numbers.

    Other code may be written anew as long as it gives the same bits, which the naive reference and parity watch over; a change of
    this is a change of meaning.
    """
    code = "|".join(canonical(path.read_text()) for path in formulas)
    numbers: tuple[object, ...] = (DOMAIN.parameters, tuple(DOMAIN.windows.items()), DOMAIN.counterpart_days, DOMAIN.row_flags)
    # What counts in no window changes what a window means. A domain without kinds keeps the text that it was published under.
    numbers += (tuple(kind.name for kind in DOMAIN.kinds),) if DOMAIN.kinds else ()
    return "|".join(f"{f.name}:{f.formula}:{f.missing!r}" for f in features) + f"|{code}|{numbers!r}"


@cache
def meaning_hash(features: tuple[Feature, ...] = FEATURES, formulas: tuple[Path, ...] = FORMULAS) -> str:
    """Return 16 hexadecimal digits of what vectors mean, whatever the measure limit is."""
    return hashlib.sha256(_text(features, formulas).encode()).hexdigest()[:16]


def schema_hash(
    measure_limit: int = DOMAIN.measure_limit,
    formulas: tuple[Path, ...] = FORMULAS,
    features: tuple[Feature, ...] = FEATURES,
) -> str:
    """Return a short hash of names, order, formulas and what they call, missing values and the measure limit.

    ``formulas``: the sources of FORMULAS, in its order. Vectors with another hash are not comparable. Where the domain published
    the same meaning before, under a text of that time, that text is hashed: the vectors and models of then stay valid.
    """
    meaning = meaning_hash(features, formulas)
    old = next((old for old in DOMAIN.published if old.meaning == meaning), None)
    text, limit = (old.text, old.limit) if old else (_text(features, formulas), "LIMIT")
    if measure_limit != DOMAIN.measure_limit:
        text += f"|{limit}={measure_limit}"
    return f"{SERVICE}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def vector_schema(features: Features) -> str:
    """Return the schema of the vectors that are made with these settings: a model of another one is refused."""
    return schema_hash(features.measure_limit)


#: That of the default settings. Code that has settings asks ``vector_schema``.
SCHEMA = schema_hash()


def packed(vector: NDArray[np.float32]) -> bytes:
    """Return a vector [k] as events carry it: little-endian float32."""
    return vector.astype("<f4").tobytes()


def unpacked(data: bytes) -> NDArray[np.float32]:
    """Undo ``packed``: return float32 [k], read-only."""
    return np.frombuffer(data, dtype="<f4")
