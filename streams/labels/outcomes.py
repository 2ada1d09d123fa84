"""Make outcomes: of a label, or of a score that matured without one."""

from __future__ import annotations

import msgspec

from features.base import names
from features.base.events import AmountMinor, EventTime, Id, Label, Outcome, Score


class JoinedTransaction(msgspec.Struct, gc=False):
    """What an outcome needs of a transaction; the rest of a score is skipped unread."""

    transaction_id: Id
    event_time_ms: EventTime
    card_id: Id
    terminal_id: Id
    amount_minor: AmountMinor


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
    # What the label says of the payment may be wrong, and its terminal's other outcomes would pay for it.
    payment = score.transaction if score else label
    return Outcome(
        transaction_id=label.transaction_id,
        card_id=payment.card_id,
        terminal_id=payment.terminal_id,
        event_time_ms=payment.event_time_ms,
        outcome_time_ms=outcome_ms,
        is_fraud=label.is_fraud,
        source=label.source,
        amount_minor=score.transaction.amount_minor if score else None,
        score=score.score if score else None,
        threshold=score.threshold if score else None,
        model_version=score.model_version if score else None,
        unusual=score.unusual if score else None,
        late=late,
    )


def matured(score: JoinedScore, outcome_ms: int) -> Outcome:
    """Return the outcome of a transaction that nobody labelled: it counts as genuine from ``outcome_ms`` on."""
    transaction = score.transaction
    return Outcome(
        transaction_id=transaction.transaction_id,
        card_id=transaction.card_id,
        terminal_id=transaction.terminal_id,
        event_time_ms=transaction.event_time_ms,
        outcome_time_ms=outcome_ms,
        is_fraud=False,
        source="matured",
        amount_minor=transaction.amount_minor,
        score=score.score,
        threshold=score.threshold,
        model_version=score.model_version,
        unusual=score.unusual,
    )
