"""Paths that need no token."""

from __future__ import annotations

import pytest

from serving.server.gate import is_open


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/healthz",
        "/metrics",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/fraud/ready",
        "/v2/models/fraud/versions/v1/ready",
        "/v1/models/fraud",
    ],
)
def test_liveness_and_readiness_are_open(path: str) -> None:
    assert is_open(path)


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/models",
        "/v1/models/fraud:predict",
        "/v1/models/fraud:explain",
        "/v1/models/fraud/ready",
        "/v1/models/a/b",
        "/v2",
        "/v2/models",
        "/v2/models/fraud",
        "/v2/models/fraud/status",
        "/v2/models/fraud/infer",
        "/v2/models/fraud/infer/ready",
        "/v2/models/fraud/versions/v1",
        "/v2/repository/index",
        "/v2/repository/models/fraud/ready",
        "/openapi.json",
    ],
)
def test_all_else_needs_the_token(path: str) -> None:
    assert not is_open(path)
