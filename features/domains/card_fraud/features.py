"""The features of card fraud, in the order of the vector.

A formula is a Python expression over the names in ``features.catalogue.ingredients`` and the functions in
``features.catalogue.formulas``; it is what runs, compiled, in the stream and in every batch job, and what docs/features.md
prints. A vector is always finite: a model server can refuse NaN outright, and JSON has none. So each feature names the value that
stands for missing, and when.
"""

from __future__ import annotations

from features.base.durations import DAY_MS, HOUR_MS, MINUTE_MS
from features.base.feature import Feature

#: Above this many currency units a payment is unusual for any card, unless the settings say otherwise.
MEASURE_LIMIT = 220

#: By the suffix in a feature's name, shortest first.
WINDOWS: dict[str, int] = {
    "10m": 10 * MINUTE_MS,
    "1h": HOUR_MS,
    "6h": 6 * HOUR_MS,
    "1d": DAY_MS,
    "7d": 7 * DAY_MS,
    "30d": 30 * DAY_MS,
    "90d": 90 * DAY_MS,
}
#: Known outcomes of a terminal, in days before the label horizon.
TERMINAL_DAYS: tuple[int, ...] = (1, 7, 28, 30)


def _mode(name: str, number: int, meaning: str) -> Feature:
    return Feature(name, "event", "0/1", meaning, f"mode == {number}", 0.0, "entry mode unknown")


_TRANSACTION = (
    Feature("amount", "event", "currency units", "amount of this transaction", "measure / UNIT"),
    Feature("hour", "event", "hours", "hour of the day, UTC, with its fraction", "hour"),
    Feature("weekend", "event", "0/1", "Saturday or Sunday, UTC", "weekday >= 5"),
    Feature("night", "event", "0/1", "before 06:00 UTC", "hour < 6.0"),
    _mode("used_chip", 0, "the chip was read"),
    _mode("entry_contactless", 1, "contactless"),
    _mode("entry_swipe", 2, "the magnetic stripe was read"),
    _mode("entry_manual", 3, "the number was keyed in"),
    _mode("online_order", 4, "bought online"),
    Feature("used_pin_number", "event", "0/1", "the PIN was entered", "flag", -1.0, "not told"),
    Feature("has_location", "event", "0/1", "latitude and longitude are known", "located"),
    Feature(
        "amount_above_limit",
        "event",
        "0/1",
        f"amount above the setting `features.measure_limit`, {MEASURE_LIMIT} currency units unless told otherwise",
        "measure > LIMIT * UNIT",
    ),
)


def _of_window(w: str) -> tuple[Feature, ...]:
    def card(name: str, unit: str, meaning: str, formula: str, missing: float = 0.0, when: str = "") -> Feature:
        return Feature(f"{name}_{w}", "history", unit, meaning, formula, missing, when, w)

    return (
        card("count", "transactions", "of the card in the window, this one included", f"count_{w}"),
        card("sum", "currency units", "spent in the window, this one included", f"total_{w} / UNIT"),
        card("mean", "currency units", "mean amount of the window, this one included", f"total_{w} / UNIT / count_{w}"),
        card("max", "currency units", "highest amount of the window, this one included", f"highest_{w} / UNIT"),
        card(
            "std",
            "currency units",
            "standard deviation of the amounts of the window, this one included",
            f"deviation(count_{w}, spread_{w})",
        ),
        card(
            "ratio_to_mean",
            "ratio",
            "amount over the mean of the earlier ones in the window",
            f"ratio_to_others(count_{w}, total_{w}, measure)",
            1.0,
            "no earlier one, or all of amount zero",
        ),
        card(
            "zscore",
            "deviations",
            "amount less the mean of the earlier ones in the window, over their standard deviation",
            f"zscore(count_{w}, total_{w}, others_spread_{w}, measure)",
            0.0,
            "fewer than two earlier ones, or all equal",
        ),
    )


_NEVER = "no earlier one in 90 days"
_HISTORY = (
    Feature("seconds_since_last", "history", "seconds", "since the card's last transaction", "since_last", -1.0, _NEVER, "90d"),
    Feature(
        "distance_from_last_transaction",
        "history",
        "km",
        "from the card's last known place",
        "km_from_last",
        -1.0,
        "a place is unknown",
        "90d",
    ),
    Feature(
        "speed_kmh", "history", "km/h", "needed to come from the last known place", "speed", -1.0, "a place is unknown", "90d"
    ),
    Feature("repeat_retailer", "history", "0/1", "the card used this terminal before", "repeat", 0.0, "", "90d"),
    *(
        Feature(f"terminals_{w}", "history", "terminals", "different ones, this one included", f"distinct_{w}", 0.0, "", w)
        for w in ("1d", "7d", "30d", "90d")
    ),
    *(
        Feature(
            f"new_terminals_{w}",
            "history",
            "terminals",
            "that the card had not used in the 90 days before",
            f"new_{w}",
            0.0,
            "",
            w,
        )
        for w in ("1d", "7d", "30d")
    ),
    *(
        Feature(
            f"share_{what}_30d", "history", "share", f"of transactions {how}", f"share({what}_30d, count_30d)", 0.0, "", "30d"
        )
        for what, how in (("night", "before 06:00 UTC"), ("online", "online"), ("contactless", "contactless"))
    ),
    Feature(
        "decayed_count",
        "history",
        "transactions",
        "each counting 2^-(age in days), age in whole hours, this one included",
        "decayed_count",
        0.0,
        "",
        "7d",
    ),
    Feature(
        "decayed_sum",
        "history",
        "currency units",
        "each amount times 2^-(age in days), age in whole hours, this one included",
        "decayed_total / UNIT",
        0.0,
        "",
        "7d",
    ),
    Feature(
        "ratio_to_median_purchase_price",
        "history",
        "ratio",
        "amount over the exact median of the earlier ones",
        "measure / median if median > 0.0 else 1.0",
        1.0,
        "no earlier one, or median zero",
        "90d",
    ),
    Feature(
        "ratio_to_robust_mean",
        "history",
        "ratio",
        "amount over the mean of the earlier ones up to 2.6 medians, drawn towards 50 currency units by 2 transactions",
        "robust_ratio",
        0.0,
        "",
        "90d",
    ),
    Feature(
        "max_robust_ratio_3d",
        "history",
        "ratio",
        "highest ratio_to_robust_mean of the earlier ones, each as of its own arrival",
        "highest_ratio_3d",
        0.0,
        "no earlier one",
        "3d",
    ),
    Feature(
        "max_robust_ratio_14d",
        "history",
        "ratio",
        "highest ratio_to_robust_mean of the earlier ones, each as of its own arrival",
        "highest_ratio_14d",
        0.0,
        "no earlier one",
        "14d",
    ),
    Feature(
        "high_amounts_14d",
        "history",
        "transactions",
        "earlier ones with a ratio_to_robust_mean above 2.6",
        "high_14d",
        0.0,
        "",
        "14d",
    ),
    Feature(
        "days_since_high",
        "history",
        "days",
        "since the last one with a ratio_to_robust_mean above 2.6",
        "since_high",
        -1.0,
        "none in 90 days",
        "90d",
    ),
)

_APART = (
    Feature("declined_1h", "history", "transactions", "of the card that were declined", "declined_count_1h", 0.0, "", "1h"),
    Feature("declined_1d", "history", "transactions", "of the card that were declined", "declined_count_1d", 0.0, "", "1d"),
    Feature(
        "declined_share_1d",
        "history",
        "share",
        "of declined ones among what was tried with the card, this one included",
        "share(declined_count_1d, declined_count_1d + count_1d)",
        0.0,
        "",
        "1d",
    ),
    *(
        feature
        for w in ("1d", "30d")
        for feature in (
            Feature(
                f"refunds_{w}",
                "history",
                "transactions",
                "that gave money back to the card: refunds and reversals",
                f"refund_count_{w} + reversal_count_{w}",
                0.0,
                "",
                w,
            ),
            Feature(
                f"refund_sum_{w}",
                "history",
                "currency units",
                "given back by them",
                f"(refund_total_{w} + reversal_total_{w}) / UNIT",
                0.0,
                "",
                w,
            ),
        )
    ),
)

_UNKNOWN = "no profile yet"
_CUSTOMER = (
    Feature(
        "distance_from_home",
        "profile",
        "km",
        "from the home in the customer profile",
        "known(km_from_home)",
        -1.0,
        "home or place unknown",
    ),
    Feature(
        "ratio_to_usual_amount", "profile", "ratio", "amount over the mean amount", "over(measure, usual_measure)", 1.0, _UNKNOWN
    ),
    Feature(
        "ratio_to_category_amount",
        "profile",
        "ratio",
        "amount over the mean amount at this merchant category",
        "over(measure, category_measure)",
        1.0,
        "category new to the card, or not told",
    ),
    Feature(
        "usual_hour_share",
        "profile",
        "share",
        "of the card's transactions within an hour of this hour of the day",
        "known(hour_share)",
        -1.0,
        _UNKNOWN,
    ),
    Feature("usual_terminal", "profile", "0/1", "one of the card's 16 most used terminals", "usual_counterpart", 0.0, _UNKNOWN),
)


def _of_days(days: int) -> tuple[Feature, ...]:
    def terminal(name: str, unit: str, meaning: str, formula: str) -> Feature:
        return Feature(f"{name}_{days}d", "counterpart", unit, meaning, formula, 0.0, "", f"{days}d")

    return (
        terminal("terminal_count", "transactions", "with a known outcome at the terminal", f"outcomes_{days}d"),
        terminal("terminal_frauds", "transactions", "known as fraud at the terminal", f"positives_{days}d"),
        terminal(
            "terminal_risk",
            "share",
            "of fraud among the known, drawn to 0.01 by one",
            f"risk(outcomes_{days}d, positives_{days}d)",
        ),
    )


_TERMINAL = (
    *(feature for days in TERMINAL_DAYS for feature in _of_days(days)),
    Feature(
        "terminal_last_label",
        "counterpart",
        "share",
        "of fraud in the newest hour with known outcomes",
        "last_label",
        -1.0,
        "nothing known",
        "60d",
    ),
    Feature(
        "terminal_days_since_fraud",
        "counterpart",
        "days",
        "from the newest hour with a known fraud to the label horizon",
        "since_positive",
        -1.0,
        "none known",
        "60d",
    ),
    Feature(
        "terminal_days_since_genuine",
        "counterpart",
        "days",
        "from the newest hour with a known genuine one to the label horizon",
        "since_negative",
        -1.0,
        "none known",
        "60d",
    ),
    Feature(
        "terminal_fraud_run",
        "counterpart",
        "transactions",
        "length of the unbroken run of frauds at the end of what is known",
        "run",
        0.0,
        "",
        "60d",
    ),
    Feature(
        "terminal_fraud_run_days",
        "counterpart",
        "days",
        "from that run's first hour to the label horizon",
        "run_days",
        0.0,
        "",
        "60d",
    ),
    *(
        Feature(
            f"terminal_unexplained_{days}d",
            "counterpart",
            "transactions",
            "known as fraud, of an amount that is normal for their cards",
            f"unexplained_{days}d",
            0.0,
            "",
            f"{days}d",
        )
        for days in (7, 28)
    ),
)

FEATURES: tuple[Feature, ...] = (
    *_TRANSACTION,
    *(feature for w in WINDOWS for feature in _of_window(w)),
    *_HISTORY,
    *_APART,
    *_CUSTOMER,
    *_TERMINAL,
)
