"""``GET /status`` on Faust's web server: what runs, what was decided, and whether control is at rest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import KafkaException

from retrain.control.announced import Announced
from retrain.control.controller import Controller
from retrain.control.faust.committed_reader import ReadCommittedConsumer
from retrain.control.faust.progress import Progress
from retrain.control.publisher import NotPublished
from retrain.control.rollout import Rollout
from serving.store.model_store import StoreError


class Face(NamedTuple):
    """What the page shows."""

    controller: Controller
    rollout: Rollout
    announced: Announced
    progress: Progress
    consumer: ReadCommittedConsumer


async def page(face: Face, look: Callable[[], Awaitable[None]]) -> dict[str, Any]:
    """Return the page, after a fresh look at the runs and the model server: whoever polls it never reads an old answer.

    ``idle`` is true when every record that was in ``drift-reports``, ``retrain-requests`` and ``model-events`` at the time of
    the call is handled, no run is in progress, and the model server serves what the serving document says and ``model-events``
    tells. ``waiting_for`` says why not, in words.
    """
    trouble: list[str] = []
    behind: list[str] = []
    seen: dict[str, dict[str, int]] = {}
    try:
        behind = await face.progress.behind(face.consumer)
        seen = await face.progress.seen(face.consumer)
        await look()
    except (KafkaException, NotPublished, StoreError) as error:
        trouble.append(str(error))
    controller, status = face.controller, face.rollout.status
    running = [f"run {run.run_id} is in progress" for run in controller.active]
    taken = ["a request is being decided"] if controller.pending > len(running) else []
    waiting = [*trouble, *behind, *taken, *running, *controller.unsettled()]
    return {
        "idle": not waiting,
        "waiting_for": waiting,
        "active_runs": len(running),
        "pending": controller.pending,
        "last_decision": controller.last_decision,
        "runs": [
            {
                "idempotency_key": run.request.idempotency_key,
                "cause": run.request.cause,
                "event_time_ms": run.request.event_time_ms,
                "state": run.state,
                "run_id": run.run_id,
                "attempt": run.attempt,
                "version": run.version,
                "reason": run.reason,
            }
            for run in controller.runs
        ],
        "rollout": {
            "document": msgspec.to_builtins(face.rollout.document),
            "server": msgspec.to_builtins(status) if status is not None else None,
            "announced": {"champion": face.announced.champion, "shadow": face.announced.shadow},
        },
        "seen": seen,
    }
