"""The scorer's way to the model server: one V2 gRPC call a micro-batch.

Needs grpcio and protobuf, not KServe (serving.client.wire).
"""

from __future__ import annotations

from pathlib import Path

import grpc
import numpy as np
from numpy.typing import NDArray

from features.base.model_client import ModelRefused, ModelUnavailable, Prediction
from features.base.settings import SettingsError
from features.base.web_client import on_this_host
from serving.client import wire

_MAX_MESSAGE = 64 * 1024 * 1024
_OPTIONS = [
    ("grpc.max_send_message_length", _MAX_MESSAGE),
    ("grpc.max_receive_message_length", _MAX_MESSAGE),
    # gRPC waits up to 2 minutes between attempts to connect; a model server that restarts is back in seconds.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Retries belong to the caller, who knows how long a transaction may wait.
    ("grpc.enable_retries", 0),
]
#: The request itself is wrong: it would fail again.
_REFUSED = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNIMPLEMENTED,
}


def options(address: str) -> list[tuple[str, int]]:
    """Return the channel's options for ``address``, host:port. A server on this host is never asked for through a proxy."""
    return [*_OPTIONS, ("grpc.enable_http_proxy", 0 if on_this_host(address.rpartition(":")[0]) else 1)]


def _channel(address: str, authority: Path | None) -> grpc.Channel:
    if authority is None:
        return grpc.insecure_channel(address, options=options(address))
    try:
        trusted = authority.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"network.tls.authority: {authority} cannot be read ({error.strerror}); put the model server's authority there"
        ) from error
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(trusted), options=options(address))


class KServeClient:
    """Implements ``features.base.model_client.ModelClient``. Connects at the first call; may be shared between threads."""

    def __init__(self, address: str, model: str, token: str, timeout_s: float = 5.0, authority: Path | None = None) -> None:
        """Make a client of ``address``, host:port of the gRPC side; ``token`` is the bearer token; ``timeout_s`` bounds one call.

        ``authority``: PEM file of whom to trust; with it the client speaks TLS. Raises SettingsError where it cannot be read.
        """
        self._model = model
        self._address = address
        self._timeout_s = timeout_s
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._channel = _channel(address, authority)
        self._infer = self._channel.unary_unary(wire.METHOD)

    def predict(self, vectors: NDArray[np.float32], schema: str, event_time_ms: int) -> Prediction | None:
        """Score ``vectors`` [n, k]; None while nothing is champion. ``event_time_ms`` is the newest event in the batch.

        Raises ModelUnavailable (no answer in time, an error on the server's side, a token that it does not take, an answer that
        does not hold what the protocol says) or ModelRefused (the vectors or their schema are wrong).
        """
        request = wire.encode_request(self._model, vectors, schema, event_time_ms)
        try:
            prediction = wire.decode_response(self._infer(request, timeout=self._timeout_s, metadata=self._metadata))
        except grpc.RpcError as error:
            code = error.code()
            if code is grpc.StatusCode.FAILED_PRECONDITION:
                return None
            if code in _REFUSED:
                raise ModelRefused(f"the model server refused {len(vectors)} vectors: {error.details()}") from error
            message = f"no scores from the model server at {self._address} ({code.name}: {error.details()})"
            raise ModelUnavailable(message) from error
        except wire.MalformedResponse as error:
            raise ModelUnavailable(f"no scores from the model server at {self._address}: {error}") from error
        if len(prediction.scores) != len(vectors):
            raise ModelUnavailable(f"the model server gave {len(prediction.scores)} scores for {len(vectors)} vectors")
        return prediction

    def close(self) -> None:
        self._channel.close()
