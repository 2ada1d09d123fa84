"""What the drift monitor watches of card payments.

A window of a day is compared with weeks of training data, so a column is watched only where one day is a fair sample of
many: no calendar columns (a Sunday differs from a month by nature), none that remember more than a day of the card (they
grow with the history and move days after their cause), and no terminal columns (they move with the labels, and labels
are what the performance monitor watches).
"""

from __future__ import annotations

from features.base.domain import VectorRoles

COLUMNS = VectorRoles(
    measure="amount",
    hour="hour",
    weekend="weekend",
    modes=("used_chip", "entry_contactless", "entry_swipe", "entry_manual", "online_order"),
    flag="used_pin_number",
    located="has_location",
)
#: Few and each its own question: a window drifted by the share of these columns, entry mode, PIN and place beside them.
WATCHED = (
    "amount",
    "count_1d",
    "sum_1d",
    "mean_1d",
    "ratio_to_mean_30d",
    "seconds_since_last",
    "distance_from_last_transaction",
    "distance_from_home",
    "ratio_to_usual_amount",
)
#: Watched columns that remember faulty values of a field after the fault is over, and for how many days.
AFTERMATH: dict[str, dict[str, float]] = {
    "amount_minor": {"sum_1d": 1, "mean_1d": 1, "ratio_to_mean_30d": 30, "ratio_to_usual_amount": 30, "score": 30},
    "latitude": {"distance_from_last_transaction": 7},
    "entry_mode": {},
    "pin_used": {},
}
