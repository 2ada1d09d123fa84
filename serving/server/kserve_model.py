"""The kserve.Model: V1 and V2 requests in, the engine's answers out. KServe's data plane calls it for REST and gRPC alike."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, Model
from kserve.protocol.infer_type import InferInput, to_http_parameters
from numpy.typing import NDArray

from features.catalogue import vector
from serving.server import json_body, vectors
from serving.server.engine import Answer, Engine
from serving.server.errors import InvalidVectors, NotSupported, UnknownVersion
from serving.server.lookup import Lookup
from serving.server.onnx_model import INPUT, OUTPUT

SHADOW_OUTPUT = "shadow_score"
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
        names = [OUTPUT] if self._engine.loaded.shadow is None else [OUTPUT, SHADOW_OUTPUT]
        return [{"name": name, "datatype": "FP32", "shape": [-1]} for name in names]

    def versions(self) -> list[str]:
        """Return the versions that a request may name: the champion's, none without one. The shadow only scores beside it."""
        champion = self._engine.loaded.champion
        return [champion.version] if champion is not None else []

    def check_version(self, version: str | None) -> None:
        """Raise UnknownVersion where ``version`` is named (not None, not empty) and another one answers, or none."""
        if version:
            _check_version(version, *self.versions())

    async def explain(self, payload: object, headers: object = None) -> dict[str, Any]:
        raise NotSupported("explanations are not served; the reasons of an alert are in the topic 'alerts'")

    async def predict(self, payload: object, headers: dict[str, str] | None = None) -> dict[str, Any] | InferResponse:
        """Answer a V2 request (InferRequest) or a V1 body. Raises RequestError."""
        if isinstance(payload, InferRequest):
            return await self._predict_v2(payload)
        return await self._predict_v1(payload)

    async def _predict_v2(self, request: Any) -> InferResponse:
        champion = self._engine.champion()
        if request.model_version:
            _check_version(request.model_version, champion.version)
        rows = _tensor(request.inputs, champion.width)
        wanted = {output.name for output in request.request_outputs or ()}
        unknown = wanted - {OUTPUT, SHADOW_OUTPUT}
        if unknown:
            raise InvalidVectors(f"output '{min(unknown)}' does not exist; there are 'score' and 'shadow_score'")
        parameters = to_http_parameters(request.parameters) if request.parameters else {}
        answer = await self._answer(rows, _schema(parameters), _event_time(parameters))
        if request.model_version:
            # A swap between the look above and the answer.
            _check_version(request.model_version, answer.version)
        outputs = [_output(OUTPUT, answer.scores)]
        if answer.shadow_scores is not None:
            outputs.append(_output(SHADOW_OUTPUT, answer.shadow_scores))
        response_parameters = {"threshold": repr(answer.threshold)}
        if answer.shadow_version is not None:
            response_parameters["shadow_version"] = answer.shadow_version
        return InferResponse(
            response_id=request.id or "",
            model_name=self.name,
            model_version=answer.version,
            infer_outputs=[output for output in outputs if not wanted or output.name in wanted],
            parameters=response_parameters,
        )

    async def _predict_v1(self, payload: object) -> dict[str, Any]:
        body = json_body.parsed(payload) if isinstance(payload, bytes | str) else payload
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


def _check_version(version: str, *served: str) -> None:
    """Raise UnknownVersion unless ``version`` is one of ``served``."""
    if version not in served:
        answers = f"version {served[0]} answers" if served else "no version answers yet"
        raise UnknownVersion(f"version '{version[:40]}' does not answer, {answers}; leave the version out to ask the champion")


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
