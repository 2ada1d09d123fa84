"""The events that travel through Kafka, as typed structs.

Values are JSON. Money is an integer in minor units of its currency; times are epoch milliseconds, UTC.
Unknown fields are ignored, so that a producer may send more than driftloop reads.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

#: Times outside 2000-01-01 .. 2100-01-01 are mistakes (seconds instead of milliseconds, mostly).
EventTime = Annotated[int, msgspec.Meta(ge=946_684_800_000, lt=4_102_444_800_000)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
AmountMinor = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000_00)]
#: The length, too: to Python, ``$`` also lies before a line end.
Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", min_length=3, max_length=3)]
Latitude = Annotated[float, msgspec.Meta(ge=-90.0, le=90.0)]
Longitude = Annotated[float, msgspec.Meta(ge=-180.0, le=180.0)]
#: Free text is bounded, so that whatever is made of a valid record fits into one, too.
ShortText = Annotated[str, msgspec.Meta(max_length=64)]
TEXT_LENGTH = 10_000
Text = Annotated[str, msgspec.Meta(max_length=TEXT_LENGTH)]
EntryMode = Literal["chip", "contactless", "swipe", "manual", "online"]
ENTRY_MODES: tuple[EntryMode, ...] = ("chip", "contactless", "swipe", "manual", "online")


class Transaction(msgspec.Struct, omit_defaults=True, gc=False):
    """One card payment, as a producer publishes it to ``transactions``."""

    transaction_id: Id
    event_time_ms: EventTime
    card_id: Id
    terminal_id: Id
    amount_minor: AmountMinor
    currency: Currency = "EUR"
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    country: ShortText | None = None
    merchant_category: ShortText | None = None
    entry_mode: EntryMode | None = None
    pin_used: bool | None = None


Decision = Literal["approve", "alert", "unscored"]


class Score(msgspec.Struct, gc=False):
    """What the scorer says of one transaction: the vector it saw, and the score where there is a model.

    ``features`` is the vector: little-endian float32 values in the order of ``features.catalogue.vector.NAMES``, in JSON as
    base64;
    ``schema`` is the hash of that order. ``unusual``: the amount is high for any card, or for this one.
    ``score`` is None while there is no champion. ``degraded``: profiles from memory, because the store did not answer, or a
    score by rules (``model`` is then ``rules``), because the model server did not. ``late``: the transaction came further behind
    the others than is allowed for. ``cold``: part of the card's history was lost, and windows that reach that far back are
    incomplete. ``profile_age_ms`` is event time minus the time of the oldest profile read, None where none was found.
    """

    transaction: Transaction
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

    def __post_init__(self) -> None:
        if len(self.features) % 4:
            raise ValueError(f"features has {len(self.features)} bytes, and a float32 takes four")


class Alert(msgspec.Struct, gc=False):
    """A score at or above its model's threshold, with what an analyst needs to judge it."""

    transaction: Transaction
    score: float
    threshold: float
    model: str
    model_version: str
    reasons: list[str]
    evidence: dict[str, float]


class Label(msgspec.Struct, gc=False):
    """The truth about one transaction, as the issuer or an analyst learns it at ``label_time_ms``."""

    transaction_id: Id
    card_id: Id
    terminal_id: Id
    event_time_ms: EventTime
    is_fraud: bool
    label_time_ms: EventTime
    source: Literal["chargeback", "analyst"] = "chargeback"


class Outcome(msgspec.Struct, gc=False):
    """A score joined with its label; ``source`` is ``matured`` where the delay passed without one.

    A label that comes after its transaction matured gives a second outcome with ``late`` true; the newest counts.
    ``unusual`` is the score's, None where the score is not known.
    """

    transaction_id: Id
    card_id: Id
    terminal_id: Id
    event_time_ms: EventTime
    outcome_time_ms: EventTime
    is_fraud: bool
    source: Literal["chargeback", "analyst", "matured"]
    amount_minor: AmountMinor | None = None
    score: float | None = None
    threshold: float | None = None
    model_version: str | None = None
    unusual: bool | None = None
    late: bool = False


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
    "transactions": Transaction,
    "scores": Score,
    "alerts": Alert,
    "labels": Label,
    "outcomes": Outcome,
    "drift-reports": DriftReport,
    "retrain-requests": RetrainRequest,
    "model-events": ModelEvent,
    "dlq": DeadLetter,
    "dlq-handled": HandledLetter,
}
