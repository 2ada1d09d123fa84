"""Make outcomes: of a label, or of a score that matured without one."""

from __future__ import annotations

import msgspec

from features.base import names
from features.base.events import EventTime, Id, Label, Measure, Outcome, Score


class JoinedTransaction(msgspec.Struct, gc=False):
    """What an outcome needs of a transaction; the rest of a score is skipped unread."""

    event_id: Id
    event_time_ms: EventTime
    subject: Id
    counterpart: Id
    measure: Measure


class JoinedScore(msgspec.Struct, gc=False):
    """What an outcome needs of a score."""

    transaction: JoinedTransaction
    score: float | None = None
    threshold: float | None = None
    model_version: str | None = None
    unusual: bool | None = None


names.check_view(JoinedScore, Score)


def labelled(label: Label, score: JoinedScore | None, outcome_ms: int, late: bool = False) -> Outcome:
    """Return what the label says, as of ``outcome_ms``. ``score`` is None where the label's transaction is not known.

    ``late``: the transaction had an outcome already, which this one corrects.
    """
    # What the label says of the event may be wrong, and its counterpart's other outcomes would pay for it.
    event = score.transaction if score else label
    return Outcome(
        event_id=label.event_id,
        subject=event.subject,
        counterpart=event.counterpart,
        event_time_ms=event.event_time_ms,
        outcome_time_ms=outcome_ms,
        positive=label.positive,
        source=label.source,
        measure=score.transaction.measure if score else None,
        score=score.score if score else None,
        threshold=score.threshold if score else None,
        model_version=score.model_version if score else None,
        unusual=score.unusual if score else None,
        late=late,
    )


def matured(score: JoinedScore, outcome_ms: int) -> Outcome:
    """Return the outcome of a transaction that nobody labelled: it counts as negative from ``outcome_ms`` on."""
    transaction = score.transaction
    return Outcome(
        event_id=transaction.event_id,
        subject=transaction.subject,
        counterpart=transaction.counterpart,
        event_time_ms=transaction.event_time_ms,
        outcome_time_ms=outcome_ms,
        positive=False,
        source="matured",
        measure=transaction.measure,
        score=score.score,
        threshold=score.threshold,
        model_version=score.model_version,
        unusual=score.unusual,
    )
