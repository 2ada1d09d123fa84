"""What stands before the REST routes: the token, the limit on the body, packed bodies, HEAD, and needless slashes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.server import encodings, refusals
from serving.server.auth import Token
from serving.server.errors import NotAuthorized, RequestError, TooLarge

#: 65,536 vectors as JSON text, with room to spare.
MAX_BODY = 64 * 1024 * 1024
#: Below this an answer is sent plain: packed, it would hardly be shorter.
_PACKED_FROM = 1024
#: Beyond this packing leaves the event loop, where the scorer's calls wait.
_INLINE = 64 * 1024
_OPEN = frozenset({"/", "/healthz", "/metrics", "/v2/health/live", "/v2/health/ready"})


class Gate:
    """ASGI middleware: nobody passes without the token, nor with a body beyond ``MAX_BODY``. Health and metrics need no token."""

    def __init__(self, app: ASGIApp, token: Token) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        # A base address that ends with a slash gives paths that begin with two.
        path = "/" + scope["path"].strip("/")
        if encoding := encodings.chosen(headers.get("accept-encoding", "")):
            send = _Packing(send, encoding)
        try:
            self._check(path, headers)
            receive = _limited(receive)
            # uvicorn keeps the scope that says HEAD, and sends no body then.
            scope = dict(scope) | {"path": path, "method": "GET" if scope["method"] == "HEAD" else scope["method"]}
            if "content-encoding" in headers:
                scope, receive = await _unpacked(scope, receive, headers["content-encoding"])
        except RequestError as error:
            await refusals.answer(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check(self, path: str, headers: Headers) -> None:
        if not is_open(path) and not self._token.allows(headers.get("authorization")):
            raise NotAuthorized("send the header 'Authorization: Bearer <token>'; the token is in the platform's folder")
        if (length := headers.get("content-length", "0")).isdigit() and int(length) > MAX_BODY:
            raise _body_too_large()


def is_open(path: str) -> bool:
    """Tell whether the path needs no token: liveness, readiness and metrics, which stock clients and probes ask for without."""
    if path in _OPEN:
        return True
    parts = path.strip("/").split("/")
    if parts[:2] == ["v1", "models"]:
        # V1 has the readiness of a model where V2 has its metadata; a name with a colon is a call.
        return len(parts) == 3 and ":" not in parts[2]
    return (
        parts[:2] == ["v2", "models"]
        and parts[-1] == "ready"
        and (len(parts) == 4 or (len(parts) == 6 and parts[3] == "versions"))
    )


def _limited(receive: Receive) -> Receive:
    received = 0

    async def limited() -> Message:
        # A body in chunks names no length beforehand.
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY:
            raise _body_too_large()
        return message

    return limited


async def _unpacked(scope: Scope, receive: Receive, encoding: str) -> tuple[Scope, Receive]:
    """Return the request as it was before it was packed. Raises RequestError."""
    # A name that is not taken is refused before the body is asked for.
    encodings.check(encoding)
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return scope, _again(message)
        body += message.get("body", b"")
        more = message.get("more_body", False)
    plain = await _aside(len(body), lambda: encodings.unpacked(bytes(body), encoding, MAX_BODY))
    kept = [(name, value) for name, value in scope["headers"] if name not in {b"content-encoding", b"content-length"}]
    scope = dict(scope) | {"headers": [*kept, (b"content-length", str(len(plain)).encode())]}
    return scope, _again({"type": "http.request", "body": plain, "more_body": False}, receive)


def _again(first: Message, rest: Receive | None = None) -> Receive:
    """Return a ``receive`` that gives ``first`` and then what ``rest`` gives, ``first`` for ever without it."""
    messages = [first]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        return await rest() if rest is not None else first

    return receive


class _Packing:
    """A ``send`` that packs an answer of some length."""

    def __init__(self, send: Send, encoding: str) -> None:
        self._send = send
        self._encoding = encoding
        self._start: Message | None = None
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        if message["type"] != "http.response.body" or self._start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if message.get("more_body", False):
            return
        body = bytes(self._body)
        headers = MutableHeaders(scope=self._start)
        if len(body) >= _PACKED_FROM and "content-encoding" not in headers:
            body = await _aside(len(body), lambda: encodings.packed(body, self._encoding))
            headers["content-encoding"] = self._encoding
            headers["content-length"] = str(len(body))
            headers.add_vary_header("Accept-Encoding")
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": body})


async def _aside(size: int, work: Callable[[], bytes]) -> bytes:
    return work() if size <= _INLINE else await asyncio.to_thread(work)


def _body_too_large() -> TooLarge:
    return TooLarge(f"the body is larger than {MAX_BODY // 1024 // 1024} MB; send fewer rows at a time, or raw tensors")
