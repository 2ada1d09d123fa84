"""Card fraud: payments by card at terminals, and which of them were fraud."""

from __future__ import annotations

from features.base.domain import Domain, Gate, Kind, Labels, Parameters, RowFlag
from features.domains.card_fraud.currencies import PLACES, REFERENCE
from features.domains.card_fraud.drift import AFTERMATH, COLUMNS, WATCHED
from features.domains.card_fraud.event import PRESENT, Payment
from features.domains.card_fraud.features import FEATURES, MEASURE_LIMIT, TERMINAL_DAYS, WINDOWS
from features.domains.card_fraud.reasons import FALLBACK, HIGH, REASONS, UNUSUAL
from features.domains.card_fraud.words import WORDS

DOMAIN = Domain(
    name="card_fraud",
    version=2,
    event=Payment,
    topic="transactions",
    service="fraud_v2",
    model="fraud",
    measure_limit=MEASURE_LIMIT,
    labels=Labels(positive="is_fraud", sources=("chargeback", "analyst")),
    features=FEATURES,
    parameters=Parameters(
        # Amounts are counted in hundredths of the reference currency, whatever places their own currency has.
        unit=100.0,
        shortest_s=1.0,
        high=HIGH,
        prior_measure=5_000.0,
        prior_count=2.0,
        prior_share=0.01,
        prior_outcomes=1.0,
    ),
    windows=WINDOWS,
    counterpart_days=TERMINAL_DAYS,
    row_flags=(
        RowFlag("night", "time % DAY_MS < 6 * HOUR_MS", "before 06:00 UTC"),
        RowFlag("online", "mode == 4", "online"),
        RowFlag("contactless", "mode == 1", "contactless"),
    ),
    columns=COLUMNS,
    watched=WATCHED,
    unusual=UNUSUAL,
    reasons=REASONS,
    fallback=FALLBACK,
    gate=Gate(min_lift=3.0, cost_of_missed="measure", review_cost=5.0),
    words=WORDS,
    loops="features.transform.loops.card_fraud",
    present=PRESENT,
    aftermath=AFTERMATH,
    simulator="streams.simulate.card_fraud.simulation:Simulation",
    unit_field="currency",
    unit_places=PLACES,
    reference_unit=REFERENCE,
    kinds=(
        Kind("purchase", "purchases"),
        Kind("refund", "refunds"),
        Kind("reversal", "reversals"),
        Kind("declined", "declined payments"),
    ),
    negative_hint="no amount is negative: send money given back as kind refund, a payment that was taken back as kind reversal",
)
