"""Clicks: looks of users at the items of an online shop, and which of them led to a purchase."""

from __future__ import annotations

from features.base.domain import Domain, Gate, Labels, Parameters, RowFlag
from features.domains.clicks.drift import AFTERMATH, COLUMNS, WATCHED
from features.domains.clicks.event import Click
from features.domains.clicks.features import FEATURES, ITEM_DAYS, MEASURE_LIMIT, WINDOWS
from features.domains.clicks.reasons import FALLBACK, HIGH, REASONS, UNUSUAL
from features.domains.clicks.words import WORDS

DOMAIN = Domain(
    name="clicks",
    version=1,
    event=Click,
    topic="clicks",
    service="clicks_v1",
    model="purchase",
    measure_limit=MEASURE_LIMIT,
    labels=Labels(positive="bought", sources=("order", "basket")),
    features=FEATURES,
    parameters=Parameters(
        # Milliseconds in a second.
        unit=1000.0,
        shortest_s=1.0,
        high=HIGH,
        prior_measure=20_000.0,
        prior_count=2.0,
        prior_share=0.05,
        prior_outcomes=20.0,
    ),
    windows=WINDOWS,
    counterpart_days=ITEM_DAYS,
    row_flags=(
        RowFlag("evening", "time % DAY_MS >= 17 * HOUR_MS", "from 17:00 UTC on"),
        RowFlag("search", "mode == 1", "answers to a search"),
        RowFlag("mail", "mode == 2", "from mails"),
    ),
    columns=COLUMNS,
    watched=WATCHED,
    unusual=UNUSUAL,
    reasons=REASONS,
    fallback=FALLBACK,
    gate=Gate(min_lift=2.0, cost_of_missed="one", review_cost=0.05),
    words=WORDS,
    loops="features.transform.loops.clicks",
    aftermath=AFTERMATH,
    simulator="streams.simulate.clicks.simulation:Simulation",
)
