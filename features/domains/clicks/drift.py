"""Names what the drift monitor watches: columns of which one day is a fair sample of many (``streams.drift.data.columns``)."""

from __future__ import annotations

from features.base.domain import VectorRoles

COLUMNS = VectorRoles(
    measure="dwell",
    hour="hour",
    weekend="weekend",
    modes=("from_feed", "from_search", "from_mail", "from_ad"),
)
#: Few and each its own question: a window drifted by the share of these columns, the surface beside them.
WATCHED = (
    "dwell",
    "count_1d",
    "sum_1d",
    "mean_1d",
    "ratio_to_mean_7d",
    "seconds_since_last",
)
#: Watched columns that remember faulty values of a field after the fault is over, and for how many days.
AFTERMATH: dict[str, dict[str, float]] = {
    "dwell_ms": {"sum_1d": 1, "mean_1d": 1, "ratio_to_mean_7d": 7, "score": 30},
    "surface": {},
}
