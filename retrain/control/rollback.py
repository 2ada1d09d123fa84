"""Roll-backs: what may be rolled back to, when a roll-back is done, and what is said of it.

::

    driftloop rollback --rollback_requested--> control --> serving.json (generation + 1, rollback = key) --> model server
                                                  |                                                             |
                                                  +--declined (why not)              rolled_back <--it serves it+

The serving document carries the key of the newest roll-back in it, so whether one was written is known after any crash.
"""

from __future__ import annotations

import time
from typing import Literal

import msgspec

from features.base.events import ModelEvent
from retrain.control.announced import Announced
from retrain.control.rollout import ServerStatus
from serving.store.document import ServingDocument
from serving.store.model_store import ModelStore, StoreError, check_model


def refusal(store: ModelStore, document: ServingDocument, announced: Announced, version: str, schema: str) -> str | None:
    """Return why ``version`` may not be rolled back to, None where it may. ``schema``: of the vectors that the stream makes.

    It must lie in the store unbroken, have passed the gate and take the stream's vectors. A newer version that was never
    champion is no way back: it is promoted when its time in shadow is over.
    """
    champion = document.champion
    if champion is None:
        return "nothing is served yet, so there is no champion to roll back; driftloop models lists what there is"
    if version == champion:
        return f"{version} is champion already; driftloop models lists the others"
    return _unfit(store, version, schema) or _no_way_back(announced, version, champion)


def _unfit(store: ModelStore, version: str, schema: str) -> str | None:
    try:
        manifest = store.manifest(version)
        check_model(store.path(version), manifest)
    except StoreError as error:
        return str(error)
    if manifest.state == "rejected":
        return f"{version} did not pass the gate and was never served; driftloop models lists the others"
    if manifest.schema != schema:
        return f"{version} takes vectors of schema {manifest.schema}, and the stream makes {schema}; choose another version"
    return None


def _no_way_back(announced: Announced, version: str, champion: str) -> str | None:
    # Versions are v1, v2 and so on.
    if version in announced.promoted or int(version[1:]) < int(champion[1:]):
        return None
    return f"{version} is newer than {champion} and was never champion; it is promoted when its time in shadow is over"


def outdated(document: ServingDocument, request: ModelEvent) -> str | None:
    """Return why the request does not fit any more: another version is champion than the one that was to be rolled back."""
    if document.champion == request.previous:
        return None
    return f"{document.champion} is champion by now, and {request.previous} was when this was asked for; ask again"


def is_written(document: ServingDocument, request: ModelEvent) -> bool:
    """Tell whether it is the newest roll-back that was carried out, whatever the document became since."""
    return document.rollback == request.idempotency_key


def is_served(document: ServingDocument, status: ServerStatus | None, request: ModelEvent) -> bool:
    """Tell whether a roll-back was written and is done: the server serves its version, or another one took over since."""
    if not is_written(document, request):
        return False
    if document.champion != request.version:
        return True
    return status is not None and (status.generation, status.champion) == (document.generation, request.version)


def answer(
    request: ModelEvent, state: Literal["rolled_back", "declined"], event_time_ms: int = 0, reason: str = ""
) -> ModelEvent:
    """Return what is said of the request: its version, the one before, who asked and why; where it was declined, why not."""
    return msgspec.structs.replace(
        request,
        state=state,
        event_time_ms=max(event_time_ms, request.event_time_ms),
        at_ms=time.time_ns() // 1_000_000,
        reason=reason or request.reason,
    )
