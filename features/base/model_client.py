"""What a model client answers: the vocabulary that the scorer and the serving client share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Prediction:
    """Scores of one micro-batch, float32 [n] in [0, 1], from one model version.

    ``shadow_scores`` come from the version under test, where one is in shadow.
    """

    scores: NDArray[np.float32]
    threshold: float
    version: str
    shadow_scores: NDArray[np.float32] | None = None
    shadow_version: str | None = None


class ModelUnavailable(Exception):
    """The model server did not answer, or not in time: the same call may succeed later."""


class ModelRefused(Exception):
    """The model server says that the request itself is wrong: the same call will fail again."""


class ModelClient(Protocol):
    """One call a micro-batch."""

    def predict(self, vectors: NDArray[np.float32], schema: str, event_time_ms: int) -> Prediction | None:
        """Score ``vectors`` [n, k]; None while nothing is champion. ``event_time_ms`` is the newest event in the batch.

        Raises ModelUnavailable (try again) or ModelRefused (do not).
        """
        ...

    def close(self) -> None: ...
