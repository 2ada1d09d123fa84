"""The model families, one file each: whatever module lies here is one, and keeps to ``Family``.

A new one is picked up by being here: the training step takes it by name, and ``tests/contracts/families`` tries it.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from retrain.training.dataset import Dataset

if TYPE_CHECKING:
    from onnx import ModelProto

DEFAULT = "perceptron"


class Family(Protocol):
    """A module's functions. What ``train`` returns is its own business, and goes to the other two."""

    def train(
        self, data: Dataset, end_ms: int, half_life_days: float, delay_ms: int, max_rows: int, epochs: int, seed: int
    ) -> Any:
        """Fit to ``data`` with the weights of ``weights.row_weights`` as of ``end_ms``, thinned to ``max_rows``; passes over it
        are bounded by ``epochs``. One seed gives one model. Raises ValueError where a class is missing."""
        ...

    def score(self, fitted: Any, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return scores in [0, 1], float32 [n], of ``vectors`` [n, WIDTH], by the family's own framework."""
        ...

    def graph(self, fitted: Any) -> ModelProto:
        """Return the same as ONNX of ``onnx.OPSET``: ``features`` float32 [n, WIDTH] to one output, [n] or [n, 1]."""
        ...


def names() -> list[str]:
    """Return the name of every family there is."""
    return sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))


def load(name: str = DEFAULT) -> Family:
    """Load the family. Raises ValueError where there is none of this name. Imports no framework before a function is called."""
    if name not in names():
        raise ValueError(f"there is no model family {name!r}; there are {', '.join(names())}")
    return cast(Family, importlib.import_module(f"{__name__}.{name}"))
