"""KServe's data plane, with the edges that let bad input become an internal error taken off."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from cloudevents.sdk.converters.util import has_binary_headers
from kserve import ModelRepository
from kserve.errors import InvalidInput
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.model_repository_extension import ModelRepositoryExtension

from serving.server import json_body
from serving.server.errors import InvalidVectors, NotSupported, UnknownModel
from serving.server.kserve_model import ScoringModel

#: What Triton calls the format of what is served.
PLATFORM = "onnxruntime_onnx"
#: The protocol's extensions that are answered, by their names in Triton.
EXTENSIONS = ["binary_tensor_data", "parameters"]
_STRUCTURED = "application/cloudevents+json"


class ScoringDataPlane(DataPlane):
    def __init__(self, model_registry: ModelRepository) -> None:
        super().__init__(model_registry)
        self._server_name = "driftloop"
        self._server_version = metadata.version("driftloop")

    def metadata(self) -> dict[str, Any]:
        """Return the server's name, version and extensions."""
        return {"name": self._server_name, "version": self._server_version, "extensions": list(EXTENSIONS)}

    def get_model_from_registry(self, name: str) -> ScoringModel:
        """Return the model. Raises UnknownModel."""
        model = self.model_registry.get_model(name)
        if model is None:
            served = ", ".join(f"'{known}'" for known in self.model_registry.get_models())
            raise UnknownModel(f"there is no model '{name[:100]}'; this server serves {served}")
        assert isinstance(model, ScoringModel)
        return model

    async def get_model(self, name: str) -> ScoringModel:
        """Return the model. KServe would load one that is not ready; ours says 409 itself. Raises UnknownModel."""
        return self.get_model_from_registry(name)

    async def model_metadata(self, model_name: str, version: str | None = None) -> dict[str, Any]:
        """Return the V2 description of the model. Raises UnknownModel, and UnknownVersion where ``version`` does not answer."""
        model = self.get_model_from_registry(model_name)
        model.check_version(version)
        return {
            "name": model_name,
            "versions": model.versions(),
            "platform": PLATFORM,
            "inputs": model.get_input_types(),
            "outputs": model.get_output_types(),
        }

    async def model_ready(
        self, model_name: str, disable_predictor_health_check: bool = False, version: str | None = None
    ) -> bool:
        """Tell whether the model is ready; for a prediction, whether it exists. Raises UnknownModel, UnknownVersion.

        REST asks here before each prediction (with the flag set) and answers 503 to a no; the model itself says 409 and why.
        """
        model = self.get_model_from_registry(model_name)
        model.check_version(version)
        return disable_predictor_health_check or await model.healthy()

    def index(self, *, ready_only: bool = False) -> list[dict[str, str]]:
        """Return what Triton's repository index says: a line for each version that answers, or one without a version."""
        lines = []
        for name, model in self.model_registry.get_models().items():
            versions = model.versions()
            lines += [{"name": name, "version": version, "state": "READY", "reason": ""} for version in versions]
            if not versions and not ready_only:
                lines.append({"name": name, "version": "", "state": "UNAVAILABLE", "reason": "no champion yet"})
        return lines

    def decode(self, body: Any, headers: dict[str, str], *args: Any, **kwargs: Any) -> Any:
        """Decode a V1 body: JSON whatever its media type, or a CloudEvent as KServe does. Raises InvalidInput, InvalidVectors."""
        try:
            if has_binary_headers(headers):
                return super().decode(body, headers, *args, **kwargs)
            return self.decode_cloudevent(json_body.parsed(body))
        except (InvalidInput, InvalidVectors):
            raise
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            raise InvalidVectors(f"the request cannot be read ({type(error).__name__}: {error}); see docs/serving.md") from error

    def encode(self, model_name: str, response: Any, headers: dict[str, str], req_attributes: dict[str, Any]) -> Any:
        """Encode as KServe does, which compares the media type of a CloudEvent with its parameters."""
        if headers and headers.get("content-type", "").partition(";")[0].strip().lower() == _STRUCTURED:
            headers = headers | {"content-type": _STRUCTURED}
        return super().encode(model_name, response, headers, req_attributes)


class FixedRepository(ModelRepositoryExtension):
    """Loading and unloading by request is off: what is served follows the serving document."""

    async def load(self, model_name: str) -> None:
        raise NotSupported("models are loaded by the serving document; see: driftloop models")

    async def unload(self, model_name: str) -> None:
        raise NotSupported("models are unloaded by the serving document; see: driftloop models")
