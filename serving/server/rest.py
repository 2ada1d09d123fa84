"""The REST side: KServe's V1 and V2 routes, the status, health and metrics, behind the token and a limit on the body."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from kserve.errors import InvalidInput, ModelNotFound, ModelNotReady
from kserve.protocol.rest.server import RESTServer
from kserve.protocol.rest.v1_endpoints import register_v1_endpoints
from kserve.protocol.rest.v2_endpoints import register_v2_endpoints
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.server import metrics, uvicorn_server
from serving.server.auth import Token
from serving.server.engine import Engine
from serving.server.errors import NotAuthorized, RequestError, TooLarge
from serving.server.kserve_dataplane import FixedRepository, ScoringDataPlane
from serving.server.tls import Identity

#: 65,536 vectors as JSON text, with room to spare.
MAX_BODY = 64 * 1024 * 1024

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
        register_v1_endpoints(app, self.dataplane, self.model_repository_extension)
        register_v2_endpoints(app, self.dataplane, self.model_repository_extension)
        app.add_api_route("/v2/models/{model_name}/status", self._status, methods=["GET"])
        app.add_api_route("/", self.dataplane.live, methods=["GET"])
        add_health(app, self._health)
        for kind, handler in _HANDLERS.items():
            app.add_exception_handler(kind, handler)
        app.add_middleware(Gate, token=self._token)
        return app

    async def _status(self, model_name: str) -> JSONResponse:
        if self.dataplane.model_registry.get_model(model_name) is None:
            raise ModelNotFound(model_name)
        status = self._engine.status()
        return JSONResponse({name: getattr(status, name) for name in status.__struct_fields__})


def add_health(app: FastAPI, health: Health) -> None:
    """Add ``/healthz`` (200, or 503 with ``{"reasons": [...]}``) and ``/metrics``."""

    async def healthz() -> JSONResponse:
        reasons = health()
        return JSONResponse({"status": "stuck" if reasons else "ok", "reasons": reasons}, status_code=503 if reasons else 200)

    async def prometheus() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    app.add_api_route("/healthz", healthz, methods=["GET"])
    app.add_api_route("/metrics", prometheus, methods=["GET"])


class Gate:
    """ASGI middleware: nobody passes without the token, nor with a body beyond ``MAX_BODY``. Health and metrics need no token."""

    def __init__(self, app: ASGIApp, token: Token) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        refusal: RequestError | None = None
        if not _is_open(scope["path"]) and not self._token.allows(headers.get(b"authorization")):
            refusal = NotAuthorized("send the header 'Authorization: Bearer <token>'; the token is in the platform's folder")
        elif (length := headers.get(b"content-length", b"0")).isdigit() and int(length) > MAX_BODY:
            refusal = _body_too_large()
        if refusal is not None:
            await _answer(refusal)(scope, receive, send)
            return

        received = 0

        async def limited() -> Message:
            # A body in chunks names no length beforehand.
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY:
                raise _body_too_large()
            return message

        await self._app(scope, limited, send)


def _is_open(path: str) -> bool:
    """Tell whether the path needs no token: health, readiness and metrics."""
    if path in {"/", "/healthz", "/metrics", "/v2/health/live", "/v2/health/ready"}:
        return True
    parts = path.strip("/").split("/")
    return len(parts) == 4 and parts[:2] == ["v2", "models"] and parts[3] == "ready"


def _body_too_large() -> TooLarge:
    return TooLarge(f"the body is larger than {MAX_BODY // 1024 // 1024} MB; send fewer rows at a time, or raw tensors")


def _answer(error: RequestError) -> JSONResponse:
    metrics.REJECTED.labels(error.reason).inc()
    headers = {"www-authenticate": "Bearer"} if isinstance(error, NotAuthorized) else None
    return JSONResponse({"error": str(error)}, status_code=error.http_status, headers=headers)


async def _refused(_: Request, error: Any) -> JSONResponse:
    return _answer(error)


async def _invalid(_: Request, error: Any) -> JSONResponse:
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return _plain(400, "invalid_input", f"the body is not JSON ({first['ctx']['error']})")
        place = ".".join(str(part) for part in first["loc"] if part not in {"body", "InferenceRequest"})
        message = f"field '{place}' of the body: {first['msg']}; see docs/serving.md"
    else:
        message = str(error)
    return _plain(400, "invalid_input", message)


async def _not_found(_: Request, error: Any) -> JSONResponse:
    return _plain(404, "unknown_model", str(error))


async def _not_ready(_: Request, error: Any) -> JSONResponse:
    # Readiness probes come every few seconds and are no rejected request.
    return JSONResponse({"error": str(error)}, status_code=503)


async def _not_implemented(_: Request, error: Any) -> JSONResponse:
    return _plain(501, "not_supported", str(error) or "not supported by this server")


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    return _plain(500, "internal", f"the server failed ({type(error).__name__}); its log says why")


def _plain(status: int, reason: str, message: str) -> JSONResponse:
    metrics.REJECTED.labels(reason).inc()
    return JSONResponse({"error": message}, status_code=status)


_HANDLERS: dict[type[Exception], Callable[[Request, Any], Any]] = {
    RequestError: _refused,
    InvalidInput: _invalid,
    RequestValidationError: _invalid,
    ModelNotFound: _not_found,
    ModelNotReady: _not_ready,
    NotImplementedError: _not_implemented,  # what KServe raises for a call that this model does not have: no stub of ours
    Exception: _unexpected,
}
