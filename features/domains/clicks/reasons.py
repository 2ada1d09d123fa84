"""Why an item is recommended, what is an unusual look, and the rules that score while no model can."""

from __future__ import annotations

from features.base.domain import Fallback, FallbackRule, Reach, Reason

#: Dwell times above this many medians are left out of the robust mean, and above this many robust means count as long.
HIGH = 3.0
UNUSUAL = (Reach("ratio_to_robust_mean", HIGH), Reach("dwell_above_limit", 0.0))
REASONS: tuple[Reason, ...] = (
    Reason("LONG_LOOK", (Reach("ratio_to_mean_30d", 2.0),)),
    Reason("CAME_BACK", (Reach("repeat_item", 1.0),)),
    Reason("SELLS_WELL", (Reach("bought_share_14d", 0.08),)),
    Reason("FAVOURITE_CATEGORY", (Reach("ratio_to_category_dwell", 1.5),)),
    Reason("SEARCHED_FOR", (Reach("from_search", 1.0),)),
    Reason("BROWSES_NOW", (Reach("count_1h", 5.0),)),
)
#: They are meant to catch the plain cases and to stay quiet otherwise; they are no model, and scores made by them say so.
FALLBACK = Fallback(
    version="rules-1",
    threshold=0.5,
    rules=(
        FallbackRule("ratio_to_mean_30d", 3.0, 0.4),
        FallbackRule("bought_share_14d", 0.1, 0.4),
        FallbackRule("repeat_item", 1.0, 0.2),
    ),
)
