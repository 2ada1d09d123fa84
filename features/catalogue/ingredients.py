"""The names that a formula may use, and what each stands for in the compiled code.

A formula of source ``event`` or ``history`` may use EVENT and HISTORY, one of source ``profile`` or ``counterpart`` EVENT,
PROFILE and OUTCOMES, and both the functions of ``features.catalogue.formulas``. Each entry: name -> (code, meaning).
"""

from __future__ import annotations

from features.base.active import DOMAIN, ROLES, WORDS
from features.catalogue.windows import COUNTERPART_DAYS, DAY_MS, LONGEST_MS, WINDOWS

LONGEST_DAYS = LONGEST_MS // DAY_MS
Ingredients = dict[str, tuple[str, str]]

EVENT: Ingredients = {
    "measure": ("rows.measure[i]", f"{WORDS.measure} of the {WORDS.event}, integer, in its smallest unit"),
    "hour": ("(time % DAY_MS) / HOUR_MS", "hour of the day, UTC, with its fraction"),
    # 1970-01-01 was a Thursday.
    "weekday": ("(time // DAY_MS + 3) % 7", "0 Monday ... 6 Sunday, UTC"),
}
_OF_THE_EVENT: Ingredients = {
    "LIMIT": ("limit", f"the setting `features.measure_limit`, {WORDS.unit}"),
}
if ROLES.mode is not None:
    _VALUES = ", ".join(f"{i} {mode}" for i, mode in enumerate(ROLES.modes))
    _OF_THE_EVENT["mode"] = ("rows.mode[i]", f"`{ROLES.mode}`: {_VALUES}, -1 unknown")
if ROLES.flag is not None:
    _OF_THE_EVENT["flag"] = ("rows.flag[i]", f"`{ROLES.flag}`: 1 yes, 0 no, -1 unknown")
if ROLES.place is not None:
    _OF_THE_EVENT["located"] = (
        "not (isnan(rows.latitude[i]) or isnan(rows.longitude[i]))",
        "whether the place is known",
    )

#: What is counted by window beside the events themselves: in this order, a lane of bits each.
_LANES: tuple[tuple[str, str], ...] = (
    ("distinct", f"different {WORDS.counterparts}"),
    ("new", f"first uses of {WORDS.a('counterpart')} in {LONGEST_DAYS} days"),
    *((flag.name, flag.meaning) for flag in DOMAIN.row_flags),
)


def _windows() -> Ingredients:
    ingredients: Ingredients = {}
    for k, w in enumerate(WINDOWS):
        ingredients |= {
            f"count_{w}": (f"w.counts[{k}]", f"{WORDS.events} of the {WORDS.subject} in {w}, this one included"),
            f"total_{w}": (f"w.total[{k}]", f"sum of their {WORDS.measure}s, in the smallest unit"),
            f"highest_{w}": (f"w.highest[{k}]", f"their highest {WORDS.measure}, in the smallest unit"),
            f"spread_{w}": (f"w.spread[{k}]", "count * sum(measure^2) - total^2 over them: count^2 times their variance"),
            f"others_spread_{w}": (f"w.others[{k}]", "the same over the earlier ones alone"),
        }
        for lane, (name, meaning) in enumerate(_LANES):
            ingredients[f"{name}_{w}"] = (f"w.lanes[{k}] >> {lane} * LANE_BITS & LANE_MASK", f"{meaning} among them")
    return ingredients


def _apart() -> Ingredients:
    """Name what is counted of other kinds (``features.history.apart``)."""
    return {
        f"{kind.name}_{what}_{w}": (f"w.apart[{place}, {other}, {k}]", meaning.format(kind=kind, w=w))
        for other, kind in enumerate(DOMAIN.kinds[1:])
        for place, (what, meaning) in enumerate(_COUNTED_APART)
        for k, w in enumerate(WINDOWS)
    }


#: In the order of ``features.history.findings.APART_COUNT`` and ``APART_TOTAL``.
_COUNTED_APART = (
    ("count", f"{{kind.plural}} of the {WORDS.subject} in {{w}}, this {WORDS.event} included where it is one"),
    ("total", f"sum of their {WORDS.measure}s, in the smallest unit"),
)

HISTORY: Ingredients = {
    **_OF_THE_EVENT,
    **_windows(),
    **_apart(),
    "since_last": ("w.rest[SINCE_LAST]", f"seconds since the last {WORDS.event}, -1 if none"),
    "km_from_last": ("w.rest[KM]", "from the last known place, -1 if unknown"),
    "speed": ("w.rest[SPEED]", "km/h from the last known place, -1 if unknown"),
    "repeat": ("w.rest[REPEAT]", f"1 if the {WORDS.subject} met the {WORDS.counterpart} in the {LONGEST_DAYS} days before"),
    "decayed_count": ("w.rest[DECAYED_COUNT]", "sum of 2^-(age in days) over 7 days"),
    "decayed_total": ("w.rest[DECAYED_TOTAL]", f"the same, times the {WORDS.measure}s, in the smallest unit"),
    "median": (
        "w.rest[MEDIAN]",
        f"median of the earlier {WORDS.measure}s in {LONGEST_DAYS} days, in the smallest unit, 0 if none",
    ),
    "robust_ratio": ("w.rest[RATIO]", f"{WORDS.measure} over the robust mean of the earlier ones"),
    "highest_ratio_3d": ("w.rest[RATIO_3D]", "highest robust_ratio of the earlier ones in 3 days"),
    "highest_ratio_14d": ("w.rest[RATIO_14D]", "the same in 14 days"),
    "high_14d": ("w.rest[HIGH_14D]", "earlier ones in 14 days with a robust_ratio above HIGH"),
    "since_high": ("w.rest[SINCE_HIGH]", f"days since the last of them in {LONGEST_DAYS} days, -1 if none"),
}

PROFILE: Ingredients = {
    "km_from_home": ("km_from_home", "NaN if home or place is unknown"),
    "usual_measure": ("usual_measure", f"mean {WORDS.measure}, {WORDS.unit}, NaN without a profile"),
    "category_measure": ("category_measure", f"mean {WORDS.measure} at the category, NaN if unknown"),
    "hour_share": ("hour_share", f"share of {WORDS.events} within an hour of this hour of the day, NaN without a profile"),
    "usual_counterpart": ("usual_counterpart", f"1 if the {WORDS.counterpart} is one of the most used"),
}


def _days() -> Ingredients:
    ingredients: Ingredients = {}
    for k, days in enumerate(COUNTERPART_DAYS):
        ingredients |= {
            f"outcomes_{days}d": (f"t.outcomes[{k}]", f"known outcomes in the {days} days before the label horizon"),
            f"positives_{days}d": (f"t.positives[{k}]", f"{WORDS.positives} among them"),
            f"unexplained_{days}d": (
                f"t.unexplained[{k}]",
                f"{WORDS.positives} among them whose {WORDS.measure} was normal for their {WORDS.subject}",
            ),
        }
    return ingredients


OUTCOMES: Ingredients = {
    **_days(),
    "last_label": ("t.rest[LAST_LABEL]", f"share of {WORDS.positive} in the newest hour with outcomes, -1 if none"),
    "since_positive": (
        "t.rest[SINCE_POSITIVE]",
        f"days from the newest hour with {WORDS.a('positive')} to the horizon, -1 if none",
    ),
    "since_negative": (
        "t.rest[SINCE_NEGATIVE]",
        f"days from the newest hour with {WORDS.a('negative')} one to the horizon, -1 if none",
    ),
    "run": ("t.rest[RUN]", f"{WORDS.positives} since the newest hour with {WORDS.a('negative')} one"),
    "run_days": ("t.rest[RUN_DAYS]", "days from the first of these to the horizon"),
}
