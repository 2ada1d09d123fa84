"""What the server says no to, with the status of each on HTTP and gRPC."""

from __future__ import annotations

import grpc


class RequestError(Exception):
    """A request that gets no scores. ``reason`` is the label on ``driftloop_rejected_requests_total``."""

    http_status = 400
    grpc_status = grpc.StatusCode.INVALID_ARGUMENT
    reason = "invalid_input"


class InvalidVectors(RequestError):
    """Shape, type or values are wrong."""


class TooLarge(RequestError):
    http_status = 413
    reason = "too_large"


class WrongSchema(RequestError):
    """The vectors were made under another schema than the champion's."""

    reason = "wrong_schema"


class UnsupportedEncoding(RequestError):
    """The body is packed in a way that this server cannot unpack."""

    http_status = 415
    reason = "unsupported_encoding"


class NotAuthorized(RequestError):
    http_status = 401
    grpc_status = grpc.StatusCode.UNAUTHENTICATED
    reason = "not_authorized"


class UnknownModel(RequestError):
    http_status = 404
    grpc_status = grpc.StatusCode.NOT_FOUND
    reason = "unknown_model"


class UnknownVersion(RequestError):
    """Another version than the one that answers was asked for by name."""

    http_status = 404
    grpc_status = grpc.StatusCode.NOT_FOUND
    reason = "unknown_version"


class UnknownSubject(RequestError):
    http_status = 404
    grpc_status = grpc.StatusCode.NOT_FOUND
    reason = "unknown_subject"


class NoChampion(RequestError):
    http_status = 409
    grpc_status = grpc.StatusCode.FAILED_PRECONDITION
    reason = "no_champion"


class NotSupported(RequestError):
    http_status = 501
    grpc_status = grpc.StatusCode.UNIMPLEMENTED
    reason = "not_supported"


class FeaturesUnavailable(RequestError):
    """The online store does not answer."""

    http_status = 503
    grpc_status = grpc.StatusCode.UNAVAILABLE
    reason = "features_unavailable"


class PredictionFailed(RequestError):
    """The model itself failed on a request that is in order."""

    http_status = 500
    grpc_status = grpc.StatusCode.INTERNAL
    reason = "prediction_failed"
