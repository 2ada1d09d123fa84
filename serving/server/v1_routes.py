"""The V1 routes on REST: KServe's, and a right answer to a wrong method or a call that it does not know."""

from __future__ import annotations

from fastapi import FastAPI
from kserve.protocol.rest.v1_endpoints import register_v1_endpoints
from starlette.exceptions import HTTPException

from serving.server.kserve_dataplane import FixedRepository, ScoringDataPlane

_CALL = "/v1/models/{model_name}:{verb}"


def register(app: FastAPI, data_plane: ScoringDataPlane, repository: FixedRepository) -> None:
    """Add the routes below ``/v1``."""
    # KServe's readiness of a model would take a name and ":predict" for a longer name.
    app.add_api_route(_CALL, _wrong_method, methods=["GET", "PUT", "PATCH", "DELETE"])
    register_v1_endpoints(app, data_plane, repository)
    app.add_api_route(_CALL, _unknown_call, methods=["POST"])


async def _wrong_method(model_name: str, verb: str) -> None:
    raise HTTPException(405, headers={"allow": "POST"})


async def _unknown_call(model_name: str, verb: str) -> None:
    raise HTTPException(404)
