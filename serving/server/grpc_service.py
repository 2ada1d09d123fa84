"""The gRPC side: KServe's V2 service behind the token, with the status codes of ``serving.server.errors``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from kserve.errors import InvalidInput
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import add_GRPCInferenceServiceServicer_to_server
from kserve.protocol.grpc.interceptors import ExceptionToStatusInterceptor

from serving.server import metrics
from serving.server.auth import Token
from serving.server.errors import NotAuthorized, NotSupported, RequestError
from serving.server.grpc_servicer import ScoringServicer
from serving.server.kserve_dataplane import FixedRepository, ScoringDataPlane
from serving.server.tls import Identity

#: 65,536 vectors, raw, take 28 MB.
MAX_MESSAGE = 64 * 1024 * 1024
_OPEN = frozenset(f"/inference.GRPCInferenceService/{name}" for name in ("ServerLive", "ServerReady", "ModelReady"))


class RpcServer:
    """KServe's own server class binds all addresses and logs each call; this one serves the same service."""

    def __init__(
        self,
        data_plane: ScoringDataPlane,
        repository: FixedRepository,
        token: Token,
        host: str,
        port: int,
        identity: Identity | None = None,
    ) -> None:
        """Bind at once, with TLS where there is an ``identity``. Must be made in a running event loop.

        Raises RuntimeError where the port is taken.
        """
        self._server = grpc.aio.server(
            interceptors=(Statuses(), Guard(token)),
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE),
                ("grpc.max_send_message_length", MAX_MESSAGE),
                # Without this a second server would bind the same port and take half of the calls.
                ("grpc.so_reuseport", 0),
            ],
        )
        add_GRPCInferenceServiceServicer_to_server(ScoringServicer(data_plane, repository), self._server)
        if identity is None:
            self._server.add_insecure_port(f"{host}:{port}")
        else:
            credentials = grpc.ssl_server_credentials([(identity.key.read_bytes(), identity.certificate.read_bytes())])
            self._server.add_secure_port(f"{host}:{port}", credentials)

    async def start(self) -> None:
        await self._server.start()

    async def stop(self, grace_s: float) -> None:
        """Take no more calls, finish those in flight within ``grace_s`` seconds."""
        await self._server.stop(grace_s)


class Statuses(ExceptionToStatusInterceptor):
    """Turns our errors into their status; KServe's does the rest, but logs a stack trace for each mistake of a caller."""

    async def handle_exception(self, ex: Exception, request_or_iterator: Any, context: Any, method_name: str) -> None:
        if isinstance(ex, RequestError):
            metrics.REJECTED.labels(ex.reason).inc()
            await context.abort(ex.grpc_status, str(ex))
        elif isinstance(ex, InvalidInput):
            metrics.REJECTED.labels("invalid_input").inc()
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(ex))
        else:
            metrics.REJECTED.labels("internal").inc()
            await super().handle_exception(ex, request_or_iterator, context, method_name)


class Guard(grpc.aio.ServerInterceptor):
    """Refuses calls without the token."""

    def __init__(self, token: Token) -> None:
        self._token = token

        async def refuse(_: Any, context: Any) -> None:
            metrics.REJECTED.labels(NotAuthorized.reason).inc()
            message = "send the metadata 'authorization: Bearer <token>'; the token is in the platform's folder"
            await context.abort(NotAuthorized.grpc_status, message)

        async def unknown(_: Any, context: Any) -> None:
            metrics.REJECTED.labels(NotSupported.reason).inc()
            message = "this server has no such method; docs/serving.md lists those of V2 that it has"
            await context.abort(NotSupported.grpc_status, message)

        self._refuse = grpc.unary_unary_rpc_method_handler(refuse)
        # Whatever shape the method's messages have: the call ends before any is read.
        self._unknown = grpc.stream_stream_rpc_method_handler(unknown)

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any) -> Any:
        metadata = dict(handler_call_details.invocation_metadata)
        if handler_call_details.method in _OPEN or self._token.allows(metadata.get("authorization")):
            return await continuation(handler_call_details) or self._unknown
        return self._refuse
