"""V2 over gRPC: KServe's servicer, with versions, the metadata that the protocol asks for, and a sentence for what it lacks."""

from __future__ import annotations

from typing import Any

from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages
from kserve.protocol.grpc.servicer import InferenceServicer

from serving.server.errors import InvalidVectors
from serving.server.onnx_model import INPUT


class ScoringServicer(InferenceServicer):
    async def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        ready = await self._data_plane.model_ready(request.name, version=request.version)
        return messages.ModelReadyResponse(ready=ready)

    async def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        return messages.ModelMetadataResponse(**await self._data_plane.model_metadata(request.name, request.version))

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        for tensor in request.inputs:
            # KServe trips over types that it does not know before the model sees them.
            if tensor.datatype.upper() != "FP32":
                raise InvalidVectors(f"'{tensor.name}' is {tensor.datatype}; '{INPUT}' must be FP32")
        return await super().ModelInfer(request, context)
