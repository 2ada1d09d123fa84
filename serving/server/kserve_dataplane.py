"""KServe's data plane, with the edges that let bad input become an internal error taken off."""

from __future__ import annotations

from typing import Any

from kserve.errors import InvalidInput, ModelNotFound
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.model_repository_extension import ModelRepositoryExtension

from serving.server.errors import InvalidVectors, NotSupported


class ScoringDataPlane(DataPlane):
    async def model_ready(self, model_name: str, disable_predictor_health_check: bool = False) -> bool:
        """Tell whether the model is ready; for a prediction, whether it exists.

        REST asks here before each prediction (with the flag set) and answers 503 to a no; the model itself says 409 and why.
        """
        if disable_predictor_health_check:
            if self.model_registry.get_model(model_name) is None:
                raise ModelNotFound(model_name)
            return True
        return bool(await super().model_ready(model_name))

    def decode(self, body: Any, headers: dict[str, str], *args: Any, **kwargs: Any) -> Any:
        """Decode as KServe does; but a body that its parser trips over is the caller's mistake."""
        try:
            return super().decode(body, headers, *args, **kwargs)
        except InvalidInput:
            raise
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            raise InvalidVectors(f"the request cannot be read ({type(error).__name__}: {error}); see docs/serving.md") from error


class FixedRepository(ModelRepositoryExtension):
    """Loading and unloading by request is off: what is served follows the serving document."""

    async def load(self, model_name: str) -> None:
        raise NotSupported("models are loaded by the serving document; see: driftloop models")

    async def unload(self, model_name: str) -> None:
        raise NotSupported("models are unloaded by the serving document; see: driftloop models")
