"""The kserve.Model: V1 and V2 requests in, the engine's answers out. KServe's data plane calls it for REST and gRPC alike."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import orjson
from kserve import InferOutput, InferRequest, InferResponse, Model
from kserve.protocol.infer_type import InferInput, to_http_parameters
from numpy.typing import NDArray

from features.catalogue import vector
from serving.server import vectors
from serving.server.engine import Answer, Engine
from serving.server.errors import InvalidVectors, NotSupported
from serving.server.lookup import Lookup
from serving.server.onnx_model import INPUT, OUTPUT

#: Up to here the model is faster than a change of threads; above, other requests should not wait for it.
INLINE_ROWS = 1_024


class ScoringModel(Model):
    """Serves whatever the engine has loaded, under one name. Ready while there is a champion."""

    def __init__(self, name: str, engine: Engine, lookup: Lookup) -> None:
        super().__init__(name)
        self._engine = engine
        self._lookup = lookup

    def load(self) -> bool:
        """Tell whether there is a champion. KServe calls this where the model is not ready.

        What is served is the reconciler's business.
        """
        return self._engine.loaded.champion is not None

    async def healthy(self) -> bool:
        return self._engine.loaded.champion is not None

    def get_input_types(self) -> list[dict[str, Any]]:
        champion = self._engine.loaded.champion
        width = champion.width if champion is not None else vector.WIDTH
        return [{"name": INPUT, "datatype": "FP32", "shape": [-1, width]}]

    def get_output_types(self) -> list[dict[str, Any]]:
        return [{"name": OUTPUT, "datatype": "FP32", "shape": [-1]}]

    async def explain(self, payload: object, headers: object = None) -> dict[str, Any]:
        raise NotSupported("explanations are not served; the reasons of an alert are in the topic 'alerts'")

    async def predict(self, payload: object, headers: dict[str, str] | None = None) -> dict[str, Any] | InferResponse:
        """Answer a V2 request (InferRequest) or a V1 body. Raises RequestError."""
        if isinstance(payload, InferRequest):
            return await self._predict_v2(payload)
        return await self._predict_v1(payload)

    async def _predict_v2(self, request: Any) -> InferResponse:
        champion = self._engine.champion()
        rows = _tensor(request.inputs, champion.width)
        parameters = to_http_parameters(request.parameters) if request.parameters else {}
        answer = await self._answer(rows, _schema(parameters), _event_time(parameters))
        outputs = [_output(OUTPUT, answer.scores)]
        if answer.shadow_scores is not None:
            outputs.append(_output("shadow_score", answer.shadow_scores))
        wanted = {output.name for output in request.request_outputs or ()}
        unknown = wanted - {OUTPUT, "shadow_score"}
        if unknown:
            raise InvalidVectors(f"output '{min(unknown)}' does not exist; there are 'score' and 'shadow_score'")
        response_parameters = {"threshold": repr(answer.threshold)}
        if answer.shadow_version is not None:
            response_parameters["shadow_version"] = answer.shadow_version
        return InferResponse(
            response_id=request.id or "",
            model_name=self.name,
            model_version=answer.version,
            infer_outputs=[output for output in outputs if not wanted or output.name in wanted],
            parameters=response_parameters,
            # KServe's own flag for raw outputs trips over numpy arrays on gRPC, where arrays travel raw anyway.
            use_binary_outputs=not request.from_grpc and request.use_binary_outputs,
        )

    async def _predict_v1(self, payload: object) -> dict[str, Any]:
        body = _json(payload) if isinstance(payload, bytes | str) else payload
        fields = {"instances", "user_id", "user_ids"}
        if not isinstance(body, dict) or len(fields & body.keys()) != 1:
            raise InvalidVectors("the body must be a JSON object with one of 'instances', 'user_id' and 'user_ids'")
        champion = self._engine.champion()
        schema, response = None, {}
        if "instances" in body:
            rows = vectors.from_rows(body["instances"], champion.width)
            schema = _schema(body)
        else:
            ids = body["user_ids"] if "user_ids" in body else [body["user_id"]]
            schema = champion.manifest.schema
            rows = await asyncio.to_thread(self._lookup.vectors, ids, schema)
            response["user_ids"] = ids
        answer = await self._answer(rows, schema, _event_time(body))
        response |= {
            "predictions": answer.scores.tolist(),
            "model_name": self.name,
            "model_version": answer.version,
            "threshold": answer.threshold,
        }
        if answer.shadow_scores is not None:
            response |= {"shadow_predictions": answer.shadow_scores.tolist(), "shadow_version": answer.shadow_version}
        return response

    async def _answer(self, rows: NDArray[np.float32], schema: str | None, event_time_ms: int | None) -> Answer:
        if len(rows) <= INLINE_ROWS:
            return self._engine.answer(rows, schema, event_time_ms)
        return await asyncio.to_thread(self._engine.answer, rows, schema, event_time_ms)


def _tensor(inputs: list[InferInput], width: int) -> NDArray[np.float32]:
    names = [tensor.name for tensor in inputs]
    if names != [INPUT]:
        raise InvalidVectors(f"the inputs are {names}; send one, '{INPUT}'")
    (tensor,) = inputs
    if tensor.datatype != "FP32":
        raise InvalidVectors(f"'{INPUT}' is {tensor.datatype}; it must be FP32")
    # KServe has no public way to the raw bytes that does not trust the shape.
    raw = tensor._raw_data
    shape = tensor.shape
    if not isinstance(shape, list) or not all(type(size) is int for size in shape):
        raise InvalidVectors(f"the shape of '{INPUT}' must be two whole numbers, [n, {width}]")
    return vectors.from_raw(raw, shape, width) if raw is not None else vectors.from_flat(tensor.data, shape, width)


def _output(name: str, scores: NDArray[np.float32]) -> InferOutput:
    return InferOutput(name, [len(scores)], "FP32", scores)


def _schema(parameters: dict[str, Any]) -> str | None:
    schema = parameters.get("schema")
    if schema is not None and not isinstance(schema, str):
        raise InvalidVectors("'schema' must be a text")
    return schema


def _event_time(parameters: dict[str, Any]) -> int | None:
    value = parameters.get("event_time_ms")
    if value is not None and type(value) is not int:
        raise InvalidVectors("'event_time_ms' must be a whole number of milliseconds since 1970, UTC")
    return value


def _json(body: bytes | str) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidVectors(f"the body is not JSON ({error})") from error
