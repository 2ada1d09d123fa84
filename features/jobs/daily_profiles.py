"""Customer profiles by day: what was known of a card at the end of each day on which it was used."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.archive import layout
from features.base import names
from features.base.durations import DAY_MS, HOUR_MS
from features.base.events import ENTRY_MODES
from features.transform.columns import category_number, terminal_number
from features.transform.profiles import (
    CATEGORIES,
    CATEGORY_MEANS,
    COUNT,
    HOME_LAT,
    HOME_LON,
    HOUR_SHARES,
    HOURS,
    MEAN_AMOUNT,
    PROFILE_WIDTH,
    TERMINALS,
    USUAL_WIDTH,
)

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame

#: Only where the card itself was, its owner was (mostly).
CARD_PRESENT = ("chip", "contactless", "swipe")
ROW = "card_id string, event_time_ms long, profile array<float>, usual array<long>"
#: What a profile is made of.
NEEDED = ("card_id", "terminal_id", "event_time_ms", "amount_minor", "latitude", "longitude", "entry_mode", "merchant_category")
names.check(f"{__name__}.CARD_PRESENT", CARD_PRESENT, ENTRY_MODES, "entry mode")
names.check(f"{__name__}.NEEDED", NEEDED, layout.SCORES.names, "column of the archive of scores")
names.check_ddl(f"{__name__}.ROW", ROW, (*NEEDED, *layout.CUSTOMER_PROFILE.names), "column of a profile")
#: Cards are spread over this many groups: fewer cost less overhead, more let hot ones be balanced better.
GROUPS = 64


class Habits:
    """What one card has done so far."""

    def __init__(self) -> None:
        # Longitudes are counted from the first one, so that a home at 180 degrees is not taken for one at 0.
        self._place = np.zeros(2)
        self._meridian = 0.0
        self._places = 0
        self._amount = 0
        self._count = 0
        self._hours = np.zeros(HOURS, dtype=np.int64)
        self._category_amount: Counter[str] = Counter()
        self._category: Counter[str] = Counter()
        self._terminal: Counter[str] = Counter()

    def add(self, time_ms: int, amount: int, terminal: str, category: str | None, place: tuple[float, float] | None) -> None:
        """One transaction; ``place`` only where the card was present."""
        if place is not None:
            latitude, longitude = place
            if self._places == 0:
                self._meridian = longitude
            self._place += latitude, _around(longitude - self._meridian)
            self._places += 1
        self._amount += amount
        self._count += 1
        self._hours[time_ms % DAY_MS // HOUR_MS] += 1
        self._terminal[terminal] += 1
        if category is not None:
            self._category[category] += 1
            self._category_amount[category] += amount

    def profile(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The two arrays that ``features.transform.profiles`` describes. Among equally used ones the smaller name comes first."""
        profile = np.zeros(PROFILE_WIDTH, dtype=np.float32)
        usual = np.zeros(USUAL_WIDTH, dtype=np.int64)
        profile[[HOME_LAT, HOME_LON]] = np.nan
        if self._places:
            latitude, east = self._place / self._places
            profile[[HOME_LAT, HOME_LON]] = latitude, _around(self._meridian + east)
        profile[MEAN_AMOUNT] = self._amount / self._count / 100.0
        profile[COUNT] = self._count
        profile[HOUR_SHARES:CATEGORY_MEANS] = self._hours / self._count
        for k, category in enumerate(_most_used(self._category, CATEGORIES)):
            usual[k] = category_number(category)
            profile[CATEGORY_MEANS + k] = self._category_amount[category] / self._category[category] / 100.0
        for k, terminal in enumerate(_most_used(self._terminal, TERMINALS)):
            usual[CATEGORIES + k] = terminal_number(terminal)
        return profile, usual


def _around(degrees: float) -> float:
    """The same meridian, in [-180, 180]; what lies within stays as it is."""
    return degrees if -180.0 <= degrees <= 180.0 else (degrees + 180.0) % 360.0 - 180.0


def _most_used(counts: Counter[str], most: int) -> list[str]:
    return sorted(counts, key=lambda name: (-counts[name], name))[:most]


def daily_profiles(scores: DataFrame, end_ms: int) -> DataFrame:
    """Running profile per card and day, over all of ``scores`` (see ``prepare.clean_scores``), for days that ended by ``end_ms``.

    Columns ROW; event_time_ms is the end of the day. A day's row leaves out that day's future only because its time is the
    day's end: join it strictly as of.
    """
    from pyspark.sql import functions as f

    last = end_ms // DAY_MS * DAY_MS
    rows = scores.where(f.col("event_time_ms") < last).select(*NEEDED)
    group = f.pmod(f.xxhash64("card_id"), f.lit(GROUPS))
    return rows.groupBy(group).applyInPandas(_of_cards, ROW)


def _of_cards(rows: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    rows = rows.sort_values(["card_id", "event_time_ms"], kind="stable")
    found: list[tuple[str, int, list[float], list[int]]] = []
    card, day, habits = "", -1, Habits()

    def close() -> None:
        if day >= 0:
            profile, usual = habits.profile()
            found.append((card, (day + 1) * DAY_MS, profile.tolist(), usual.tolist()))

    present = rows["entry_mode"].isin(CARD_PRESENT) & rows["latitude"].notna() & rows["longitude"].notna()
    categories = rows["merchant_category"].astype(object).where(rows["merchant_category"].notna(), None)
    columns = [rows[name].tolist() for name in ("card_id", "event_time_ms", "amount_minor", "terminal_id")]
    places = zip(rows["latitude"].tolist(), rows["longitude"].tolist(), strict=True)
    for owner, time, amount, terminal, category, there, place in zip(
        *columns, categories.tolist(), present.tolist(), places, strict=True
    ):
        if owner != card:
            close()
            card, habits = owner, Habits()
        elif time // DAY_MS != day:
            close()
        day = time // DAY_MS
        habits.add(time, amount, terminal, category, place if there else None)
    close()
    return pd.DataFrame(found, columns=["card_id", "event_time_ms", "profile", "usual"])
