"""Why an alert, what is unusual, and the rules that score while no model can."""

from __future__ import annotations

from features.base.domain import Fallback, FallbackRule, Reach, Reason

#: Amounts above this many medians are left out of the robust mean, and above this many robust means count as high.
HIGH = 2.6
UNUSUAL = (Reach("ratio_to_robust_mean", HIGH), Reach("amount_above_limit", 0.0))
REASONS: tuple[Reason, ...] = (
    Reason("IMPOSSIBLE_TRAVEL", (Reach("speed_kmh", 900.0), Reach("distance_from_last_transaction", 50.0))),
    Reason("FAR_FROM_HOME", (Reach("distance_from_home", 300.0),)),
    Reason("CARD_TESTING", (Reach("declined_1h", 3.0),)),
    Reason("RAPID_REPEAT", (Reach("count_10m", 4.0),)),
    Reason("MANY_IN_AN_HOUR", (Reach("count_1h", 6.0),)),
    Reason("HIGH_FOR_CARD", (Reach("ratio_to_mean_30d", 4.0),)),
    Reason("RISKY_TERMINAL", (Reach("terminal_risk_7d", 0.1),)),
    Reason("ONLINE_AT_NIGHT", (Reach("online_order", 1.0), Reach("night", 1.0))),
    Reason("CONTACTLESS_SERIES", (Reach("entry_contactless", 1.0), Reach("count_1h", 3.0))),
)
#: They are meant to catch the plain cases and to stay quiet otherwise; they are no model, and scores made by them say so.
FALLBACK = Fallback(
    version="rules-2",
    threshold=0.5,
    rules=(
        FallbackRule("amount_above_limit", 1.0, 0.6),
        FallbackRule("ratio_to_robust_mean", 5.0, 0.4),
        FallbackRule("terminal_unexplained_7d", 1.0, 0.5),
        FallbackRule("count_10m", 4.0, 0.4),
        FallbackRule("declined_1h", 4.0, 0.4),
        FallbackRule("speed_kmh", 1000.0, 0.4),
    ),
)
