"""The names that a formula in the catalogue may use, and what each stands for in the compiled code.

A formula of source ``transaction`` or ``card`` may use EVENT and HISTORY, one of source ``customer`` or ``terminal`` EVENT,
PROFILE and OUTCOMES, and both the functions of ``features.catalogue.formulas``. Each entry: name -> (code, meaning).
"""

from __future__ import annotations

from features.catalogue.windows import TERMINAL_DAYS, WINDOWS

Ingredients = dict[str, tuple[str, str]]

EVENT: Ingredients = {
    "minor": ("rows.amount[i]", "amount of the transaction, integer minor units"),
    "hour": ("(time % DAY_MS) / HOUR_MS", "hour of the day, UTC, with its fraction"),
    # 1970-01-01 was a Thursday.
    "weekday": ("(time // DAY_MS + 3) % 7", "0 Monday ... 6 Sunday, UTC"),
}
_TRANSACTION: Ingredients = {
    "entry_mode": ("rows.entry_mode[i]", "0 chip, 1 contactless, 2 swipe, 3 manual, 4 online, -1 unknown"),
    "pin_used": ("rows.pin_used[i]", "1 yes, 0 no, -1 unknown"),
    "AMOUNT_LIMIT": ("limit", "the setting `features.amount_limit`, currency units"),
    "located": ("not (isnan(rows.latitude[i]) or isnan(rows.longitude[i]))", "whether the place is known"),
}


def _windows() -> Ingredients:
    found: Ingredients = {}
    for k, w in enumerate(WINDOWS):
        found |= {
            f"count_{w}": (f"w.counts[{k}]", f"transactions of the card in {w}, this one included"),
            f"total_{w}": (f"w.total[{k}]", "their amounts' sum, integer minor units"),
            f"highest_{w}": (f"w.highest[{k}]", "their highest amount, integer minor units"),
            f"spread_{w}": (f"w.spread[{k}]", "count * sum(amount^2) - total^2 over them: count^2 times their variance"),
            f"others_spread_{w}": (f"w.others[{k}]", "the same over the earlier ones alone"),
        }
        lanes = ("distinct", "new", "night", "online", "contactless")
        told = ("different terminals", "first uses of a terminal in 90 days", "before 06:00 UTC", "online", "contactless")
        for lane, (name, meaning) in enumerate(zip(lanes, told, strict=True)):
            found[f"{name}_{w}"] = (f"w.lanes[{k}] >> {lane} * LANE_BITS & LANE_MASK", f"{meaning} among them")
    return found


HISTORY: Ingredients = {
    **_TRANSACTION,
    **_windows(),
    "since_last": ("w.rest[SINCE_LAST]", "seconds since the last transaction, -1 if none"),
    "km_from_last": ("w.rest[KM]", "from the last known place, -1 if unknown"),
    "speed": ("w.rest[SPEED]", "km/h from the last known place, -1 if unknown"),
    "repeat": ("w.rest[REPEAT]", "1 if the card used the terminal in the 90 days before"),
    "decayed_count": ("w.rest[DECAYED_COUNT]", "sum of 2^-(age in days) over 7 days"),
    "decayed_total": ("w.rest[DECAYED_TOTAL]", "the same, times the amounts, minor units"),
    "median": ("w.rest[MEDIAN]", "median of the earlier amounts in 90 days, minor units, 0 if none"),
    "robust_ratio": ("w.rest[RATIO]", "amount over the robust mean of the earlier ones"),
    "highest_ratio_3d": ("w.rest[RATIO_3D]", "highest robust_ratio of the earlier ones in 3 days"),
    "highest_ratio_14d": ("w.rest[RATIO_14D]", "the same in 14 days"),
    "high_14d": ("w.rest[HIGH_14D]", "earlier ones in 14 days with a robust_ratio above HIGH"),
    "since_high": ("w.rest[SINCE_HIGH]", "days since the last of them in 90 days, -1 if none"),
}

PROFILE: Ingredients = {
    "km_from_home": ("km_from_home", "NaN if home or place is unknown"),
    "usual_amount": ("usual_amount", "mean amount, currency units, NaN without a profile"),
    "category_amount": ("category_amount", "mean amount at the merchant category, NaN if unknown"),
    "hour_share": ("hour_share", "share of transactions within an hour of this hour of the day, NaN without a profile"),
    "usual_terminal": ("usual_terminal", "1 if the terminal is one of the most used"),
}


def _days() -> Ingredients:
    found: Ingredients = {}
    for k, days in enumerate(TERMINAL_DAYS):
        found |= {
            f"outcomes_{days}d": (f"t.outcomes[{k}]", f"known outcomes in the {days} days before the label horizon"),
            f"frauds_{days}d": (f"t.frauds[{k}]", "frauds among them"),
            f"unexplained_{days}d": (f"t.unexplained[{k}]", "frauds among them whose amount was normal for their card"),
        }
    return found


OUTCOMES: Ingredients = {
    **_days(),
    "last_label": ("t.rest[LAST_LABEL]", "share of fraud in the newest hour with outcomes, -1 if none"),
    "since_fraud": ("t.rest[SINCE_FRAUD]", "days from the newest hour with a fraud to the horizon, -1 if none"),
    "since_genuine": ("t.rest[SINCE_GENUINE]", "days from the newest hour with a genuine one to the horizon, -1 if none"),
    "run": ("t.rest[RUN]", "frauds since the newest hour with a genuine one"),
    "run_days": ("t.rest[RUN_DAYS]", "days from the first of these to the horizon"),
}
