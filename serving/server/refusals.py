"""Refusals on REST: each is ``{"error": "one sentence"}`` with its status, and is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from kserve.errors import InvalidInput, ModelNotReady
from starlette.exceptions import HTTPException

from serving.server import encodings, metrics
from serving.server.errors import NotAuthorized, RequestError, UnsupportedEncoding

_HEADERS: dict[type[RequestError], dict[str, str]] = {
    NotAuthorized: {"www-authenticate": "Bearer"},
    UnsupportedEncoding: {"accept-encoding": ", ".join(encodings.TAKEN)},
}


def answer(error: RequestError) -> JSONResponse:
    """Return what the client gets for ``error``."""
    return _plain(error.http_status, error.reason, str(error), _HEADERS.get(type(error)))


def add_handlers(app: FastAPI) -> None:
    """Let ``app`` refuse in this form whatever its routes raise, and what it has no route for."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)


async def _refused(_: Request, error: Any) -> JSONResponse:
    return answer(error)


async def _invalid(_: Request, error: Any) -> JSONResponse:
    return _plain(400, "invalid_input", str(error))


async def _no_route(request: Request, error: Any) -> JSONResponse:
    # Beyond this a path is no typing error, and the sentence stays readable.
    asked = f"{request.method} {request.url.path[:100]}"
    headers = dict(error.headers or {})
    if error.status_code == 405:
        # Starlette's own spells the name in another way, and has no order.
        taken = ", ".join(sorted("".join(headers.get(name, "") for name in ("allow", "Allow")).split(", ")))
        return _plain(405, "wrong_method", f"{asked}: this path takes {taken} only", headers)
    if error.status_code == 404:
        return _plain(404, "unknown_route", f"{asked} is no route of this server; docs/serving.md lists them", headers)
    return _plain(error.status_code, "invalid_input", str(error.detail), headers)


async def _not_ready(_: Request, error: Any) -> JSONResponse:
    # Readiness probes come every few seconds and are no rejected request.
    return JSONResponse({"error": str(error)}, status_code=503)


async def _not_implemented(_: Request, error: Any) -> JSONResponse:
    return _plain(501, "not_supported", str(error) or "not supported by this server")


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    return _plain(500, "internal", f"the server failed ({type(error).__name__}); its log says why")


def _plain(status: int, reason: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    metrics.REJECTED.labels(reason).inc()
    return JSONResponse({"error": message}, status_code=status, headers=headers)


_HANDLERS: dict[type[Exception], Callable[[Request, Any], Any]] = {
    RequestError: _refused,
    InvalidInput: _invalid,
    HTTPException: _no_route,
    ModelNotReady: _not_ready,
    NotImplementedError: _not_implemented,  # what KServe raises for a call that this model does not have: no stub of ours
    Exception: _unexpected,
}
