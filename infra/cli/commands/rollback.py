"""``driftloop rollback``"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from features.catalogue.vector import vector_schema
from infra.cli import context
from infra.errors import PlatformError

if TYPE_CHECKING:
    from features.base.events import ModelEvent
    from features.base.settings import Settings
    from retrain.control.announced import Announced

#: Control looks twice a second, and the model server loads a version within a few seconds.
ANSWER_S = 30.0


class NotRolledBack(PlatformError):
    """The request was published and is not carried out, or not yet: exit code 1."""

    exit_code = 1


def command(
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever reads the history later.")],
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="Default: the version that was champion before.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the model event that tells of it as JSON.")] = False,
) -> None:
    from infra.cli.reason import checked
    from infra.inspect import show

    reason = checked(reason)
    if to is not None and not to.strip():
        raise PlatformError("--to is empty; name a version (driftloop models lists them), or leave --to out")
    settings = context.settings().as_user("operator")
    done = roll_back(settings, to or "", reason)
    if as_json:
        show.document(done)
        return
    print(f"rolled back from {done.previous} to {done.version}; nothing runs in shadow beside it")
    print("see it: driftloop models")


def roll_back(settings: Settings, to: str, reason: str) -> ModelEvent:
    """Ask control for it and wait; return the model event that says that it is done. ``to`` empty: the champion before.

    Raises PlatformError for a version that cannot be rolled back to, NotRolledBack where control declined or did not answer in
    time, Unreachable.
    """
    import time

    from infra.inspect.publish import publish
    from infra.inspect.tail import bounds
    from streams.topics import MODEL_EVENTS

    within = bounds(settings, MODEL_EVENTS)
    asked = request(settings, announced(settings, within), to, reason, time.time_ns() // 1_000_000)
    publish(settings, MODEL_EVENTS, settings.model, asked)
    try:
        answer = _answer(settings, asked, {partition: end for partition, (_, end) in within.items()})
    except KeyboardInterrupt:
        print(
            f"driftloop: interrupted. The roll-back to {asked.version} is asked for, and control carries it out; driftloop "
            "models shows it",
            file=sys.stderr,
        )
        raise
    if answer is None:
        raise NotRolledBack(
            f"the roll-back to {asked.version} is asked for, and control did not carry it out within {ANSWER_S:.0f} s; it will "
            "once control and the model server are up (driftloop status)"
        )
    if answer.state == "declined":
        raise NotRolledBack(f"control declined the roll-back to {asked.version}: {answer.reason}")
    return answer


def request(settings: Settings, log: Announced, to: str, reason: str, now_ms: int) -> ModelEvent:
    """Make the event that asks for it. ``log``: what model-events holds. Raises PlatformError where it cannot be done."""
    import uuid

    from features.base.events import ModelEvent
    from infra.cli.commands.retrain import newest_event_time
    from retrain.control.rollback import refusal
    from serving.store.model_store import ModelStore, StoreError

    store = ModelStore.of(settings)
    try:
        document = store.serving()
    except StoreError as error:
        raise PlatformError(str(error)) from error
    champion = document.champion
    if champion is not None and not to:
        to = log.before(champion) or ""
        if not to:
            raise PlatformError(
                f"no version was champion before {champion}, by the record in model-events; name one with --to "
                "(driftloop models lists them)"
            )
    why_not = refusal(store, document, log, to, vector_schema(settings.features))
    if why_not is not None:
        raise PlatformError(why_not)
    return ModelEvent(
        model=settings.model,
        state="rollback_requested",
        event_time_ms=newest_event_time(settings) or now_ms,
        at_ms=now_ms,
        idempotency_key=f"rollback-{uuid.uuid4().hex[:16]}",
        version=to,
        previous=champion,
        cause="manual",
        reason=reason,
        by=user(),
    )


def announced(settings: Settings, within: dict[int, tuple[int, int]]) -> Announced:
    """Read what model-events holds within these bounds. Raises Unreachable."""
    from features.base.events import ModelEvent
    from infra.inspect.decode import decoder
    from infra.inspect.tail import scan
    from retrain.control.announced import Announced
    from streams.topics import MODEL_EVENTS

    log, decode = Announced(settings.model), decoder(ModelEvent)
    for event in map(decode, scan(settings, MODEL_EVENTS, within)):
        if event is not None:
            log.take(event)
    return log


def user() -> str:
    """Return the operating system's name of whoever runs this; the number, where there is no name."""
    import getpass
    import os

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _answer(settings: Settings, asked: ModelEvent, ends: dict[int, int]) -> ModelEvent | None:
    """Wait for what control says of it; None where it says nothing in time."""
    from features.base.events import ModelEvent
    from infra.inspect.decode import decoder
    from infra.inspect.tail import follow
    from streams.topics import MODEL_EVENTS

    for event in map(decoder(ModelEvent), follow(settings, MODEL_EVENTS, ends, ANSWER_S)):
        if event is not None and event.idempotency_key == asked.idempotency_key and event.state != asked.state:
            return event
    return None
