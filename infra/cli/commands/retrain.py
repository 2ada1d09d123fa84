"""``driftloop retrain``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from features.base.active import WORDS
from infra.cli import context

if TYPE_CHECKING:
    from features.base.events import RetrainRequest
    from features.base.settings import Settings


def command(
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever reads the history later.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the request as JSON.")] = False,
) -> None:
    from infra.cli.reason import checked
    from infra.inspect import show

    reason = checked(reason)
    settings = context.settings().as_user("operator")
    request = ask(settings, reason)
    if as_json:
        show.document(request)
        return
    print(f"asked for a retraining of {request.model}: {request.idempotency_key} (event time {show.when(request.event_time_ms)})")
    print("follow it:   driftloop logs control")
    print("see it land: driftloop models")


def ask(settings: Settings, reason: str) -> RetrainRequest:
    """Publish a request with the cause ``manual`` and a key of its own, as of the newest score; return it.

    Raises PlatformError where nothing was scored yet, Unreachable.
    """
    import uuid

    from features.base.events import RetrainRequest
    from infra.errors import PlatformError
    from infra.inspect.publish import publish
    from streams.topics import RETRAIN_REQUESTS

    event_time_ms = newest_event_time(settings)
    if event_time_ms is None:
        raise PlatformError(
            f"nothing was scored yet, so there is nothing to learn from; publish {WORDS.events} first (driftloop simulate)"
        )
    request = RetrainRequest(
        idempotency_key=f"manual-{uuid.uuid4().hex[:16]}",
        model=settings.model,
        cause="manual",
        event_time_ms=event_time_ms,
        reason=reason,
    )
    publish(settings, RETRAIN_REQUESTS, settings.model, request)
    return request


def newest_event_time(settings: Settings) -> int | None:
    """Read the newest event time of the last scores of all partitions; None where nothing was scored yet. Raises Unreachable."""
    from features.base.events import Score
    from infra.inspect.decode import decoder
    from infra.inspect.tail import newest_each
    from streams.topics import SCORES

    decode = decoder(Score)
    # A producer may be a little out of order, so the last record alone need not be the newest event.
    scores = map(decode, newest_each(settings, SCORES, 100).records)
    return max((score.event.event_time_ms for score in scores if score is not None), default=None)
