"""The events that travel through Kafka, as typed structs.

Values are JSON; times are epoch milliseconds, UTC. Unknown fields are ignored, so that a producer may send more than driftloop
reads. What producers send has the domain's names on the wire, what driftloop says of it has neutral ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from features.base.active import DOMAIN, ROLES
from features.base.broker_names import named
from features.base.types import EventTime, Id, Measure, Text

if TYPE_CHECKING:
    from features.base.event import Event as Event  # noqa: PLC0414 - for those who import it from here

    LabelSource = str
    OutcomeSource = str
else:
    Event = DOMAIN.event
    LabelSource = Literal[DOMAIN.labels.sources]
    OutcomeSource = Literal[(*DOMAIN.labels.sources, "matured")]

#: The names on the wire of what an event and its label say of each other.
NAMES_ON_THE_WIRE = {
    "event_id": ROLES.id,
    "event_time_ms": ROLES.time,
    "subject": ROLES.subject,
    "counterpart": ROLES.counterpart,
    "measure": ROLES.measure,
    "positive": DOMAIN.labels.positive,
}
#: ``pass``: below the threshold; ``unscored``: there is no champion yet; ``apart``: of a kind that no model judges.
Decision = Literal["pass", "alert", "unscored", "apart"]


class Score(msgspec.Struct, gc=False):
    """What the scorer says of one event: the vector it saw, and the score where there is a model.

    ``features`` is the vector: little-endian float32 values in the order of ``features.catalogue.vector.NAMES``, in JSON as
    base64;
    ``schema`` is the hash of that order. ``reference_measure``: what the event's measure counts in the vector, in hundredths of
    ``units.reference``; None where ``measure_unknown`` (no rate, and ``units.missing`` is mark), and in scores of before there
    were rates, which counted the event's own. ``unusual``: the measure is unusual for any subject, or for this one.
    ``score`` is None while there is no champion, and for an event of another kind than the first (``decision`` apart).
    ``degraded``: profiles from memory, because the store did not answer, or a score by rules (``model`` is then ``rules``),
    because the model server did not. ``late``: the event came further behind the others than is allowed for. ``cold``: part of
    the subject's history was lost, and windows that reach that far back are incomplete. ``profile_age_ms`` is event time minus
    the time of the oldest profile read, None where none was found.
    """

    event: Event
    subject: Id
    schema: str
    features: bytes
    decision: Decision
    score: float | None = None
    threshold: float | None = None
    model: str | None = None
    model_version: str | None = None
    shadow_score: float | None = None
    shadow_version: str | None = None
    unusual: bool | None = None
    degraded: bool = False
    late: bool = False
    cold: bool = False
    profile_age_ms: int | None = None
    scored_at_ms: int = 0
    model_ms: float = 0.0
    profile_ms: float = 0.0
    reference_measure: Measure | None = None
    measure_unknown: bool = False

    def __post_init__(self) -> None:
        if len(self.features) % 4:
            raise ValueError(f"features has {len(self.features)} bytes, and a float32 takes four")


class Alert(msgspec.Struct, gc=False):
    """A score at or above its model's threshold, with what an analyst needs to judge it."""

    event: Event
    subject: Id
    score: float
    threshold: float
    model: str
    model_version: str
    reasons: list[str]
    evidence: dict[str, float]


class Label(msgspec.Struct, gc=False, rename=NAMES_ON_THE_WIRE):
    """The truth about one event, as somebody learns it at ``label_time_ms``."""

    event_id: Id
    subject: Id
    counterpart: Id
    event_time_ms: EventTime
    positive: bool
    label_time_ms: EventTime
    source: LabelSource = DOMAIN.labels.sources[0]


class Outcome(msgspec.Struct, gc=False):
    """A score joined with its label; ``source`` is ``matured`` where the delay passed without one.

    The newest label of an event counts, by ``label_time_ms``, whoever says it; of two labels of one time the positive one. A
    label that turns what an earlier outcome said gives another outcome, with ``late`` true and a higher ``revision``.
    ``revision`` counts how often the verdict turned, beginning with negative: 0 for what matured or was never called positive,
    1 for positive, 2 for a positive that was withdrawn, 3 for one that was called positive again. Of an event's outcomes the
    highest revision counts; where two have the same, the one with the newer ``outcome_time_ms``.
    ``outcome_time_ms`` is the time of the label, or when the label delay was over. ``measure`` is what the score counted: in
    hundredths of the reference unit, so that outcomes can be summed. It and ``unusual`` are None where the score does not know
    them, or is not known.
    """

    event_id: Id
    subject: Id
    counterpart: Id
    event_time_ms: EventTime
    outcome_time_ms: EventTime
    positive: bool
    source: OutcomeSource
    measure: Measure | None = None
    score: float | None = None
    threshold: float | None = None
    model_version: str | None = None
    unusual: bool | None = None
    late: bool = False
    revision: Annotated[int, msgspec.Meta(ge=0)] = 0


Verdict = Literal["ok", "drift", "data_fault", "concept_drift"]


class DriftReport(msgspec.Struct, gc=False):
    """One look at one window: statistics, verdict and what was done about it. ``kind`` says which monitor looked."""

    report_id: str
    model: str
    model_version: str | None
    kind: Literal["data", "performance"]
    window_start_ms: int
    window_end_ms: int
    rows: int
    verdict: Verdict
    action: str
    share_drifted: float | None = None
    features: dict[str, float] = {}
    evidence: dict[str, Any] = {}


Cause = Literal["no_champion", "data_drift", "concept_drift", "schedule", "manual"]


class RetrainRequest(msgspec.Struct, gc=False):
    """Somebody asks for a new model. Requests with the same ``idempotency_key`` start one run at most.

    ``exclude`` lists [start, end) event-time intervals in ms whose records are faulty and must not be learned from.
    """

    idempotency_key: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    model: str
    cause: Cause
    event_time_ms: EventTime
    reason: Text = ""
    labels: int = 0
    evidence: dict[str, Any] = {}
    exclude: list[tuple[int, int]] = []


ModelState = Literal[
    "requested",
    "declined",
    "running",
    "failed",
    "registered",
    "rejected",
    "shadow",
    "canary",
    "promoted",
    "rollback_requested",
    "rolled_back",
]


class ModelEvent(msgspec.Struct, gc=False):
    """One step in the life of a training request or of a model version. ``event_time_ms`` is event time, ``at_ms`` wall time.

    ``by``: who asked for a roll-back (the operating system's user), None of all other steps.
    """

    model: str
    state: ModelState
    event_time_ms: int
    at_ms: int
    idempotency_key: str | None = None
    run_id: str | None = None
    version: str | None = None
    previous: str | None = None
    percent: int | None = None
    cause: str | None = None
    reason: str = ""
    metrics: dict[str, float] = {}
    by: str | None = None


class DeadLetter(msgspec.Struct, gc=False):
    """A record that a processor could not take: its original bytes (base64 in JSON) and where it came from.

    Of a value that is too large for any record only the beginning is here, and ``message`` says so; all of it is where
    it came from. ``truncated``: the value, the key or the headers are not all here.
    """

    topic: str
    partition: int
    offset: int
    processor: str
    error: str
    message: str
    value: bytes | None
    key: bytes | None
    headers: list[tuple[str, bytes | None]] = []
    attempt: int = 1
    truncated: bool = False


class HandledLetter(msgspec.Struct, gc=False):
    """What was done about the dead letter at ``partition``, ``offset`` of ``dlq``, in one transaction with doing it.

    ``source_topic``, ``source_partition``, ``source_offset``: where the record came from. ``attempt``: as it was sent again.
    """

    partition: int
    offset: int
    action: Literal["replayed", "discarded"]
    source_topic: str
    source_partition: int
    source_offset: int
    reason: Text = ""
    attempt: int = 1


#: The event type of each topic, by topic name.
EVENT_OF: dict[str, type[msgspec.Struct]] = {
    named(DOMAIN.topic): Event,
    named("scores"): Score,
    named("alerts"): Alert,
    named("labels"): Label,
    named("outcomes"): Outcome,
    named("drift-reports"): DriftReport,
    named("retrain-requests"): RetrainRequest,
    named("model-events"): ModelEvent,
    named("dlq"): DeadLetter,
    named("dlq-handled"): HandledLetter,
}
