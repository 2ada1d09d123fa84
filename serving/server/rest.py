"""The REST side: KServe's V1 and V2 routes, the status, health and metrics, behind the token and a limit on the body."""

from __future__ import annotations

import socket
from collections.abc import Callable

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from kserve.protocol.rest.server import RESTServer
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from serving.server import refusals, uvicorn_server, v1_routes
from serving.server.auth import Token
from serving.server.engine import Engine
from serving.server.gate import Gate
from serving.server.kserve_dataplane import FixedRepository, ScoringDataPlane
from serving.server.tls import Identity
from serving.server.v2_routes import V2Routes

Health = Callable[[], list[str]]


class RestServer(RESTServer):
    """KServe's REST server on our sockets, with an application of its own in place of the one for the whole process."""

    def __init__(
        self,
        data_plane: ScoringDataPlane,
        repository: FixedRepository,
        engine: Engine,
        token: Token,
        health: Health,
        identity: Identity | None = None,
    ) -> None:
        super().__init__("", data_plane, repository, http_port=0)
        self._engine = engine
        self._token = token
        self._health = health
        # KServe's configuration binds all addresses.
        self.config = uvicorn_server.config(self._application(), identity)
        self._server = uvicorn_server.Server(self.config)

    async def serve(self, sockets: list[socket.socket]) -> None:
        """Serve on sockets that are bound, until ``stop``."""
        await self._server.serve(sockets)

    def stop(self) -> None:
        """Take no more requests, finish those in flight within ``GRACE_S``; ``serve`` returns then."""
        self._server.stop()

    def _application(self) -> FastAPI:
        app = FastAPI(title="driftloop model server", docs_url=None, redoc_url=None)
        v1_routes.register(app, self.dataplane, self.model_repository_extension)
        V2Routes(self.dataplane, self.model_repository_extension).register(app)
        app.add_api_route("/v2/models/{model_name}/status", self._status, methods=["GET"])
        app.add_api_route("/", self.dataplane.live, methods=["GET"])
        add_health(app, self._health)
        refusals.add_handlers(app)
        app.add_middleware(Gate, token=self._token)
        return app

    async def _status(self, model_name: str) -> JSONResponse:
        self.dataplane.get_model_from_registry(model_name)
        status = self._engine.status()
        return JSONResponse({name: getattr(status, name) for name in status.__struct_fields__})


def add_health(app: FastAPI, health: Health) -> None:
    """Add ``/healthz`` (200, or 503 with ``{"reasons": [...]}``) and ``/metrics``."""

    async def healthz() -> JSONResponse:
        reasons = health()
        return JSONResponse({"status": "stuck" if reasons else "ok", "reasons": reasons}, status_code=503 if reasons else 200)

    async def prometheus() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    app.add_api_route("/healthz", healthz, methods=["GET", "HEAD"])
    app.add_api_route("/metrics", prometheus, methods=["GET", "HEAD"])
