"""The features of clicks, in the order of the vector (docs/features-clicks.md; how formulas work: ``features.catalogue``)."""

from __future__ import annotations

from features.base.durations import DAY_MS, HOUR_MS, MINUTE_MS
from features.base.feature import Feature

#: Above this many seconds a look is long for any user, unless the settings say otherwise.
MEASURE_LIMIT = 120

#: By the suffix in a feature's name, shortest first.
WINDOWS: dict[str, int] = {
    "5m": 5 * MINUTE_MS,
    "1h": HOUR_MS,
    "1d": DAY_MS,
    "7d": 7 * DAY_MS,
    "30d": 30 * DAY_MS,
}
#: Known outcomes of an item, in days before the label horizon.
ITEM_DAYS: tuple[int, ...] = (1, 3, 14)


def _surface(name: str, number: int, meaning: str) -> Feature:
    return Feature(name, "event", "0/1", meaning, f"mode == {number}", 0.0, "surface unknown")


_CLICK = (
    Feature("dwell", "event", "seconds", "how long the item was looked at", "measure / UNIT"),
    Feature("hour", "event", "hours", "hour of the day, UTC, with its fraction", "hour"),
    Feature("weekend", "event", "0/1", "Saturday or Sunday, UTC", "weekday >= 5"),
    _surface("from_feed", 0, "shown in the feed"),
    _surface("from_search", 1, "shown as an answer to a search"),
    _surface("from_mail", 2, "shown in a mail"),
    _surface("from_ad", 3, "shown in an advertisement"),
    Feature(
        "dwell_above_limit",
        "event",
        "0/1",
        "dwell time above the setting `features.measure_limit`, 120 seconds unless told otherwise",
        "measure > LIMIT * UNIT",
    ),
)


def _of_window(w: str) -> tuple[Feature, ...]:
    def user(name: str, unit: str, meaning: str, formula: str, missing: float = 0.0, when: str = "") -> Feature:
        return Feature(f"{name}_{w}", "history", unit, meaning, formula, missing, when, w)

    return (
        user("count", "clicks", "of the user in the window, this one included", f"count_{w}"),
        user("sum", "seconds", "looked in the window, this one included", f"total_{w} / UNIT"),
        user("mean", "seconds", "mean dwell time of the window, this one included", f"total_{w} / UNIT / count_{w}"),
        user("max", "seconds", "longest look of the window, this one included", f"highest_{w} / UNIT"),
        user(
            "ratio_to_mean",
            "ratio",
            "dwell time over the mean of the earlier ones in the window",
            f"ratio_to_others(count_{w}, total_{w}, measure)",
            1.0,
            "no earlier one, or all of length zero",
        ),
    )


_HISTORY = (
    Feature(
        "seconds_since_last",
        "history",
        "seconds",
        "since the user's last click",
        "since_last",
        -1.0,
        "no earlier one in 30 days",
        "30d",
    ),
    Feature("repeat_item", "history", "0/1", "the user looked at this item before", "repeat", 0.0, "", "30d"),
    *(
        Feature(f"items_{w}", "history", "items", "different ones, this one included", f"distinct_{w}", 0.0, "", w)
        for w in ("1h", "1d", "7d")
    ),
    Feature(
        "new_items_1d",
        "history",
        "items",
        "that the user had not looked at in the 30 days before",
        "new_1d",
        0.0,
        "",
        "1d",
    ),
    *(
        Feature(f"share_{what}_7d", "history", "share", f"of clicks {how}", f"share({what}_7d, count_7d)", 0.0, "", "7d")
        for what, how in (("evening", "from 17:00 UTC on"), ("search", "on answers to a search"), ("mail", "from mails"))
    ),
    Feature(
        "decayed_count",
        "history",
        "clicks",
        "each counting 2^-(age in days), age in whole hours, this one included",
        "decayed_count",
        0.0,
        "",
        "7d",
    ),
    Feature(
        "ratio_to_median",
        "history",
        "ratio",
        "dwell time over the exact median of the earlier ones",
        "measure / median if median > 0.0 else 1.0",
        1.0,
        "no earlier one, or median zero",
        "30d",
    ),
    Feature(
        "ratio_to_robust_mean",
        "history",
        "ratio",
        "dwell time over the mean of the earlier ones up to 3 medians, drawn towards 20 seconds by 2 clicks",
        "robust_ratio",
        0.0,
        "",
        "30d",
    ),
    Feature(
        "long_looks_14d",
        "history",
        "clicks",
        "earlier ones with a ratio_to_robust_mean above 3",
        "high_14d",
        0.0,
        "",
        "14d",
    ),
)

_UNKNOWN = "no profile yet"
_SHOPPER = (
    Feature(
        "ratio_to_usual_dwell", "profile", "ratio", "over the mean dwell time", "over(measure, usual_measure)", 1.0, _UNKNOWN
    ),
    Feature(
        "ratio_to_category_dwell",
        "profile",
        "ratio",
        "over the mean dwell time at items of this category",
        "over(measure, category_measure)",
        1.0,
        "category new to the user, or not given",
    ),
    Feature(
        "usual_hour_share",
        "profile",
        "share",
        "of the user's clicks within an hour of this hour of the day",
        "known(hour_share)",
        -1.0,
        _UNKNOWN,
    ),
    Feature("usual_item", "profile", "0/1", "one of the user's 16 most seen items", "usual_counterpart", 0.0, _UNKNOWN),
)


def _of_days(days: int) -> tuple[Feature, ...]:
    def item(name: str, unit: str, meaning: str, formula: str) -> Feature:
        return Feature(f"{name}_{days}d", "counterpart", unit, meaning, formula, 0.0, "", f"{days}d")

    return (
        item("item_clicks", "clicks", "with a known outcome on the item", f"outcomes_{days}d"),
        item("item_bought", "clicks", "that the item was bought after", f"positives_{days}d"),
        item(
            "bought_share",
            "share",
            "of purchases among the known, drawn to 0.05 by 20",
            f"risk(outcomes_{days}d, positives_{days}d)",
        ),
    )


_ITEM = (
    *(feature for days in ITEM_DAYS for feature in _of_days(days)),
    Feature(
        "days_since_bought",
        "counterpart",
        "days",
        "from the newest hour with a known purchase to the label horizon",
        "since_positive",
        -1.0,
        "none known",
        "60d",
    ),
)

FEATURES: tuple[Feature, ...] = (
    *_CLICK,
    *(feature for w in WINDOWS for feature in _of_window(w)),
    *_HISTORY,
    *_SHOPPER,
    *_ITEM,
)
