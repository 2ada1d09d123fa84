"""Make outcomes: of a label, or of a score that matured without one."""

from __future__ import annotations

import msgspec

from features.base import names
from features.base.events import NAMES_ON_THE_WIRE, Label, Outcome, Score
from features.base.types import EventTime, Id, Measure


class JoinedEvent(msgspec.Struct, gc=False, rename=NAMES_ON_THE_WIRE):
    """What an outcome needs of an event; the rest of a score is skipped unread."""

    event_id: Id
    event_time_ms: EventTime
    subject: Id
    counterpart: Id
    measure: Measure


class JoinedScore(msgspec.Struct, gc=False):
    """What an outcome needs of a score."""

    event: JoinedEvent
    score: float | None = None
    threshold: float | None = None
    model_version: str | None = None
    unusual: bool | None = None
    reference_measure: Measure | None = None
    measure_unknown: bool = False
    decision: str = ""

    @property
    def measure(self) -> int | None:
        """Return what it counted of the event, in parts of the reference unit; None where that is not known."""
        if self.measure_unknown:
            return None
        return self.event.measure if self.reference_measure is None else self.reference_measure

    @property
    def is_apart(self) -> bool:
        """Tell whether the event is of a kind that has no outcome."""
        return self.decision == "apart"


names.check_view(JoinedScore, Score)


def labelled(
    label: Label,
    score: JoinedScore | None,
    outcome_ms: int,
    *,
    revision: int,
    late: bool = False,
    event: JoinedEvent | None = None,
) -> Outcome:
    """Return what the label says, as of ``outcome_ms``. ``score`` is None where the label's transaction is not known.

    ``late``: the transaction had an outcome already, which this one corrects. ``revision``: that of the label's verdict.
    ``event``: what is known of the transaction without its score.
    """
    # What the label says of the event may be wrong, and its counterpart's other outcomes would pay for it.
    about = (score.event if score else event) or label
    return Outcome(
        event_id=label.event_id,
        subject=about.subject,
        counterpart=about.counterpart,
        event_time_ms=about.event_time_ms,
        outcome_time_ms=outcome_ms,
        positive=label.positive,
        source=label.source,
        measure=score.measure if score else None,
        score=score.score if score else None,
        threshold=score.threshold if score else None,
        model_version=score.model_version if score else None,
        unusual=score.unusual if score else None,
        late=late,
        revision=revision,
    )


def matured(score: JoinedScore, outcome_ms: int) -> Outcome:
    """Return the outcome of a transaction that nobody labelled: it counts as negative from ``outcome_ms`` on."""
    event = score.event
    return Outcome(
        event_id=event.event_id,
        subject=event.subject,
        counterpart=event.counterpart,
        event_time_ms=event.event_time_ms,
        outcome_time_ms=outcome_ms,
        positive=False,
        source="matured",
        measure=score.measure,
        score=score.score,
        threshold=score.threshold,
        model_version=score.model_version,
        unusual=score.unusual,
    )
