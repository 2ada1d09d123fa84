"""The V2 routes on REST. KServe's own take JSON only where its media type is named, and know no versions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from kserve.errors import ModelNotReady

from serving.server import json_body, tensors
from serving.server.errors import InvalidVectors, NotSupported
from serving.server.kserve_dataplane import FixedRepository, ScoringDataPlane

_NO_STATISTICS = "statistics are not kept in Triton's form; see /v2/models/<model>/status and /metrics"
#: What Triton answers and this server does not, with the way out.
_NOT_SERVED = {
    "/models/stats": _NO_STATISTICS,
    "/models/{model_name}/stats": _NO_STATISTICS,
    "/models/{model_name}/versions/{version}/stats": _NO_STATISTICS,
    "/models/{model_name}/config": "there is no configuration in Triton's form; see /v2/models/<model>",
    "/models/{model_name}/versions/{version}/config": "there is no configuration in Triton's form; see /v2/models/<model>",
}


class V2Routes:
    """What each V2 route answers. Errors are ``RequestError``."""

    def __init__(self, data_plane: ScoringDataPlane, repository: FixedRepository) -> None:
        self._data_plane = data_plane
        self._repository = repository

    def register(self, app: FastAPI) -> None:
        """Add the routes below ``/v2``."""
        router = APIRouter(prefix="/v2")
        for path, sentence in _NOT_SERVED.items():
            router.add_api_route(path, _refusing(sentence), methods=["GET"])
        router.add_api_route("", self._server, methods=["GET"])
        router.add_api_route("/health/live", self._live, methods=["GET"])
        router.add_api_route("/health/ready", self._ready, methods=["GET"])
        router.add_api_route("/models", self._models, methods=["GET"])
        for path in ("/models/{model_name}", "/models/{model_name}/versions/{version}"):
            router.add_api_route(path, self._model, methods=["GET"])
            router.add_api_route(f"{path}/ready", self._model_ready, methods=["GET"])
            router.add_api_route(f"{path}/infer", self._infer, methods=["POST"])
        router.add_api_route("/repository/index", self._index, methods=["POST"])
        router.add_api_route("/repository/models/{model_name}/load", self._repository.load, methods=["POST"])
        router.add_api_route("/repository/models/{model_name}/unload", self._repository.unload, methods=["POST"])
        app.include_router(router)

    async def _server(self) -> JSONResponse:
        return JSONResponse(self._data_plane.metadata())

    async def _live(self) -> JSONResponse:
        return JSONResponse({"live": True})

    async def _ready(self) -> JSONResponse:
        return JSONResponse({"ready": await self._data_plane.ready()})

    async def _models(self) -> JSONResponse:
        return JSONResponse({"models": list(self._data_plane.model_registry.get_models())})

    async def _model(self, model_name: str, version: str | None = None) -> JSONResponse:
        return JSONResponse(await self._data_plane.model_metadata(model_name, version))

    async def _model_ready(self, model_name: str, version: str | None = None) -> JSONResponse:
        if not await self._data_plane.model_ready(model_name, version=version):
            raise ModelNotReady(model_name)
        return JSONResponse({"name": model_name, "ready": True})

    async def _infer(self, request: Request, model_name: str, version: str | None = None) -> Response:
        await self._data_plane.model_ready(model_name, disable_predictor_health_check=True)
        headers = dict(request.headers)
        asked = tensors.read(await request.body(), headers.get(tensors.LENGTH.lower()), model_name, version)
        answered, _ = await self._data_plane.infer(model_name, asked, headers)
        body, length = tensors.write(answered, asked)
        if length is None:
            return Response(body, media_type="application/json")
        return Response(body, headers={tensors.LENGTH: str(length)}, media_type="application/octet-stream")

    async def _index(self, request: Request) -> JSONResponse:
        """List the versions that answer, as Triton's repository index does; ``{"ready": true}`` leaves out what is not ready."""
        body = await request.body()
        wish: Any = json_body.parsed(body) if body.strip() else {}
        if not isinstance(wish, dict):
            raise InvalidVectors('the body must be a JSON object such as {"ready": true}, or empty')
        return JSONResponse(self._data_plane.index(ready_only=wish.get("ready") is True))


def _refusing(sentence: str) -> Any:
    async def refuse() -> None:
        raise NotSupported(sentence)

    return refuse
