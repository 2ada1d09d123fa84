"""The vector: the catalogue's features in their order, and the hash of what they mean.

A change of the catalogue, or of the code that its formulas run in, needs ``make features``, which writes ``features.generated``
and docs/features.md anew; until then nothing starts.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

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


#: What formulas call, with its constants, and the windows. Other code may be written anew as long as it gives the same bits,
#: which the naive reference and parity watch over; a change of these is a change of meaning.
_MEANING = ("formulas.py", "geo.py", "windows.py")


@cache
def _meaning() -> str:
    """The code of _MEANING without comments and docstrings."""
    return "|".join(_bare((Path(__file__).parent / name).read_text()) for name in _MEANING)


def _bare(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def schema_hash(amount_limit: int = DEFAULT_AMOUNT_LIMIT) -> str:
    """Short hash of names, order, formulas and what they call, missing values and the amount limit.

    Vectors with another hash are not comparable.
    """
    text = "|".join(f"{f.name}:{f.formula}:{f.missing!r}" for f in FEATURES) + "|" + _meaning()
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
