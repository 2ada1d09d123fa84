"""The sections of the settings, with their defaults (``features.base.settings``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from features.base.durations import DAY_MS

if TYPE_CHECKING:
    from features.base.domain import Domain

Port = Annotated[int, Field(ge=0, le=65_535)]


def _domains_limit() -> int:
    return _domain().measure_limit


def _domains_review_cost() -> float:
    return _domain().gate.review_cost


def _domains_reference() -> str:
    return _domain().reference_unit


def domains_model() -> str:
    return _domain().model


def _domain() -> Domain:
    # Not before it is asked for: what reads settings to learn the domain's name must not load one.
    from features.base.active import DOMAIN

    return DOMAIN


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Ports(_Section):
    """TCP ports, on the addresses of ``[network]``. Zero means: ``driftloop up`` picks a free one and writes it down."""

    kafka: Port = 0
    kafka_controller: Port = 0
    #: Where a secure broker is spoken to by itself and by ``driftloop up``, with certificates.
    kafka_internal: Port = 0
    redis: Port = 0
    rest: Port = 0
    grpc: Port = 0
    control: Port = 0
    #: Metrics and health of each process, by its name under the supervisor.
    metrics: dict[str, Port] = {}


class Topics(_Section):
    """How many brokers keep each record. Where nothing is set: one at the platform's own broker, which is one node; at a cluster
    elsewhere three, of which two must have a record before it counts as written."""

    #: Copies of each partition, of topics that are yet to be made.
    replication_factor: int | None = Field(default=None, ge=1, le=32_767)
    #: Copies that must have a record before it counts as written: Kafka's min.insync.replicas. None: one less than there are.
    min_insync_replicas: int | None = Field(default=None, ge=1, le=32_767)


class Storage(_Section):
    """Where what lasts is kept: a folder, or any URL that fsspec knows (``s3://bucket/prefix`` with s3fs beside driftloop).
    Empty: in the platform's folder. ``snapshots.path`` is one more; what each kind of store can do is in docs/apart.md."""

    #: Model versions, and what is served of them.
    models: str = ""
    #: What training runs leave: their requests, steps and results. They work in the platform's folder.
    runs: str = ""
    #: The archive and Feast's offline rows, in place of ``feast.root``.
    rows: str = ""


class Features(_Section):
    """What the feature transform takes from the settings. Each of these is part of the vector's schema."""

    model_config = ConfigDict(frozen=True)

    #: Measures above this, in whole units, are unusual for any subject. Where nothing is said: the domain's.
    measure_limit: int = Field(default_factory=_domains_limit, gt=0, le=1_000_000_000)

    @field_validator("measure_limit", mode="before")
    @classmethod
    def _is_number(cls, value: object) -> object:
        if isinstance(value, bool):
            raise ValueError("write a whole number of units")  # noqa: TRY004 - pydantic wants a ValueError
        return value


class Units(_Section):
    """What measures are counted in, where events name units of their own (docs/money.md)."""

    model_config = ConfigDict(frozen=True)

    #: Measures enter the features in this unit; a platform's folder keeps it. Where nothing is said: the domain's.
    reference: str = Field(default_factory=_domains_reference)
    #: A CSV file of rates, from the platform's folder on, which ``driftloop up`` takes in. Empty: none.
    rates: str = ""
    #: What becomes of an event of an unknown unit, or without a rate for its time: a dead letter, or it is scored without its
    #: measure, and its score says so.
    missing: Literal["dead-letter", "mark"] = "dead-letter"

    @field_validator("reference")
    @classmethod
    def _is_unit(cls, value: str) -> str:
        domain = _domain()
        if not domain.unit_field and value:
            raise ValueError(f"events of {domain.name} name no unit; leave it out")
        if domain.unit_field and value not in domain.unit_places:
            raise ValueError(f"{domain.name} knows no such unit; write one that events may name, as in {domain.reference_unit}")
        return value


class Scoring(_Section):
    """The scorer's batches and time-outs."""

    max_batch: int = Field(default=4000, ge=1)
    linger_ms: int = Field(default=2, ge=0)
    #: Seconds for one call of the model server. Within Kafka's max.poll.interval.ms, or the group goes on without us.
    model_timeout_s: float = Field(default=5.0, gt=0, le=300)
    #: Seconds for one answer of Redis; a socket takes no time without limit.
    profile_timeout_s: float = Field(default=0.5, gt=0, le=60)
    #: A transaction whose id came within this time (event time) is a duplicate; 0: none ever is.
    duplicate_horizon_hours: float = Field(default=24.0, ge=0, le=24 * 90)
    #: A transaction that is further behind the others is scored and flagged as late.
    allowed_lateness_hours: float = Field(default=24.0, ge=0)
    #: A transaction or a label with a time that is further ahead of the broker's clock goes to the DLQ; 0: any time is taken.
    allowed_lead_hours: float = Field(default=1.0, ge=0, le=24)
    #: Without a model server: the stream waits, or scores by a few rules and says that it did.
    fallback: Literal["wait", "rules"] = "wait"
    #: How long the model server may be away before the rules take over.
    fallback_after_s: float = Field(default=2.0, ge=0)


class Snapshots(_Section):
    """Where the scorer keeps its state, so that a restart does not replay the whole log."""

    #: A folder, or any URL that fsspec knows; empty: ``snapshots`` in the platform's folder.
    path: str = ""
    #: Wall time between two snapshots of a partition; 0: none are taken.
    interval_s: float = Field(default=60.0, ge=0)
    #: Subjects that are copied between two batches: what bounds the pause.
    subjects_a_step: int = Field(default=2000, ge=1)


class Writers(_Section):
    """The processors that write files and online rows. A second's patience saves most of the small files."""

    linger_s: float = Field(default=1.0, ge=0)
    #: Wall time between two looks for small files to merge; 0: never (``driftloop archive compact`` does it when asked).
    compact_s: float = Field(default=300.0, ge=0, le=604_800)


class Labels(_Section):
    """How long a transaction may wait for its label before it counts as negative, in days of event time."""

    delay_days: float = Field(default=7.0, ge=1 / 24, le=60)
    #: A counterpart's outcomes are read up to event time less the delay, rounded down to a multiple of this many hours.
    #: Where a replay lets the clock jump by days, only 24 lets every outcome be known by then.
    step_hours: int = Field(default=1, ge=1, le=168)

    @property
    def delay_ms(self) -> int:
        return int(self.delay_days * DAY_MS)


class Drift(_Section):
    """The drift monitor's windows and thresholds."""

    window_hours: float = Field(default=24.0, gt=0)
    min_rows: int = Field(default=500, ge=1)
    share_threshold: float = Field(default=0.3, gt=0, le=1)
    feature_threshold: float = Field(default=0.15, gt=0)
    consecutive_windows: int = Field(default=2, ge=1)
    adwin_delta: float = Field(default=0.05, gt=0, lt=1)
    min_labels_first: int = Field(default=5000, ge=1)
    min_positives_first: int = Field(default=50, ge=1)


class Skew(_Section):
    """How served vectors are checked against batch."""

    #: Subjects of a day that are computed again; 0: no checks.
    subjects: int = Field(default=300, ge=0, le=100_000)
    #: Wall time between two looks for a day that has become complete.
    interval_s: float = Field(default=300.0, gt=0, le=604_800)


class Policy(_Section):
    """When a retrain request becomes a run."""

    cooldown_hours: float = Field(default=24.0, ge=0)
    min_labels: int = Field(default=1000, ge=0)
    min_positives: int = Field(default=20, ge=0)
    #: Ask for a run this many days of event time after the last one; None: never by schedule.
    schedule_days: float | None = Field(default=None, gt=0)


class Training(_Section):
    """How the pipeline trains, and what the gate asks of a new model."""

    days: float = Field(default=60.0, gt=0)
    holdout_share: float = Field(default=0.25, gt=0, lt=1)
    epochs: int = Field(default=12, ge=1)
    seed: int = 7
    max_ap_loss: float = Field(default=0.02, ge=0)
    shadow_transactions: int = Field(default=1000, ge=0)
    review_budget: float = Field(default=0.005, gt=0, le=1)
    #: What it costs to look at one alert, in what a missed positive costs. Where nothing is said: the domain's.
    review_cost: float = Field(default_factory=_domains_review_cost, ge=0)
    #: An event this old counts half in training, so that a new pattern outweighs a dead one.
    half_life_days: float = 15.0
    #: Share of the subjects that the holdout judges; the others' holdout-time events are learned from, so that a pattern
    #: born there can be. 1 makes it a split by time alone.
    holdout_subjects: float = Field(default=0.5, gt=0.0, le=1.0)
    #: A holdout with fewer positives proves nothing.
    min_holdout_positives: int = 10
    #: More rows than this are thinned before training (negative ones only), to bound its time.
    max_rows: int = 250_000
