"""Owner profiles by day: what was known of a subject at the end of each day on which it was used."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.base.active import DOMAIN, ROLES
from features.base.durations import DAY_MS, HOUR_MS
from features.catalogue.formulas import UNIT
from features.transform.columns import category_number, counterpart_number
from features.transform.profiles import (
    CATEGORIES,
    CATEGORY_MEANS,
    COUNT,
    COUNTERPARTS,
    HOME_LAT,
    HOME_LON,
    HOUR_SHARES,
    HOURS,
    MEAN_MEASURE,
    PROFILE_WIDTH,
    USUAL_WIDTH,
)

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame

#: Modes in which the subject itself was at the place; where a domain names none, it always was.
PRESENT = DOMAIN.present or ROLES.modes
ROW = f"{ROLES.subject} string, event_time_ms long, profile array<float>, usual array<long>"
#: What a profile is made of.
NEEDED = tuple(
    name
    for name in (ROLES.subject, ROLES.counterpart, ROLES.time, *(ROLES.place or ()), ROLES.mode, ROLES.category)
    if name is not None
)
#: What it counts of an event, under a name of its own.
_COUNTED = "counted"
#: Subjects are spread over this many groups: fewer cost less overhead, more let hot ones be balanced better.
GROUPS = 64


class Habits:
    """What one subject has done so far."""

    def __init__(self) -> None:
        # Longitudes are counted from the first one, so that a home at 180 degrees is not taken for one at 0.
        self._place = np.zeros(2)
        self._meridian = 0.0
        self._places = 0
        self._measure = 0
        self._count = 0
        self._hours = np.zeros(HOURS, dtype=np.int64)
        self._category_measure: Counter[str] = Counter()
        self._category: Counter[str] = Counter()
        self._counterpart: Counter[str] = Counter()

    def add(self, time_ms: int, measure: int, counterpart: str, category: str | None, place: tuple[float, float] | None) -> None:
        """Add one transaction; ``place`` only where the subject was present."""
        if place is not None:
            latitude, longitude = place
            if self._places == 0:
                self._meridian = longitude
            self._place += latitude, _around(longitude - self._meridian)
            self._places += 1
        self._measure += measure
        self._count += 1
        self._hours[time_ms % DAY_MS // HOUR_MS] += 1
        self._counterpart[counterpart] += 1
        if category is not None:
            self._category[category] += 1
            self._category_measure[category] += measure

    def profile(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the two arrays described in ``features.transform.profiles``. Of equally used names the smaller is first."""
        profile = np.zeros(PROFILE_WIDTH, dtype=np.float32)
        usual = np.zeros(USUAL_WIDTH, dtype=np.int64)
        profile[[HOME_LAT, HOME_LON]] = np.nan
        if self._places:
            latitude, east = self._place / self._places
            profile[[HOME_LAT, HOME_LON]] = latitude, _around(self._meridian + east)
        profile[MEAN_MEASURE] = self._measure / self._count / UNIT
        profile[COUNT] = self._count
        profile[HOUR_SHARES:CATEGORY_MEANS] = self._hours / self._count
        for k, category in enumerate(_most_used(self._category, CATEGORIES)):
            usual[k] = category_number(category)
            profile[CATEGORY_MEANS + k] = self._category_measure[category] / self._category[category] / UNIT
        for k, counterpart in enumerate(_most_used(self._counterpart, COUNTERPARTS)):
            usual[CATEGORIES + k] = counterpart_number(counterpart)
        return profile, usual


def _around(degrees: float) -> float:
    """Return the same meridian, in [-180, 180]; what lies within stays as it is."""
    return degrees if -180.0 <= degrees <= 180.0 else (degrees + 180.0) % 360.0 - 180.0


def _most_used(counts: Counter[str], most: int) -> list[str]:
    return sorted(counts, key=lambda name: (-counts[name], name))[:most]


def daily_profiles(scores: DataFrame, end_ms: int) -> DataFrame:
    """Compute the running profile per subject and day, over all of ``scores`` (see ``prepare.clean_scores``), for days that ended
    by ``end_ms``.

    Columns ROW; event_time_ms is the end of the day. A day's row leaves out that day's future only because its time is the
    day's end: join it strictly as of.
    """
    from pyspark.sql import functions as f

    last = end_ms // DAY_MS * DAY_MS
    counted = f.coalesce("reference_measure", ROLES.measure).alias(_COUNTED)
    # An event whose measure is not known says nothing of what is usual.
    known = ~f.coalesce("measure_unknown", f.lit(False))
    rows = scores.where((f.col("event_time_ms") < last) & known).select(*NEEDED, counted)
    group = f.pmod(f.xxhash64(ROLES.subject), f.lit(GROUPS))
    return rows.groupBy(group).applyInPandas(_of_subjects, ROW)


def _of_subjects(rows: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    rows = rows.sort_values([ROLES.subject, ROLES.time], kind="stable")
    profiles: list[tuple[str, int, list[float], list[int]]] = []
    subject, day, habits = "", -1, Habits()

    def close() -> None:
        if day >= 0:
            profile, usual = habits.profile()
            profiles.append((subject, (day + 1) * DAY_MS, profile.tolist(), usual.tolist()))

    n = len(rows)
    latitudes, longitudes = (rows[name] for name in ROLES.place) if ROLES.place else (pd.Series(np.full(n, np.nan)),) * 2
    present = latitudes.notna() & longitudes.notna()
    if ROLES.mode is not None:
        present &= rows[ROLES.mode].isin(PRESENT)
    categories = [None] * n if ROLES.category is None else _or_none(rows[ROLES.category])
    columns = [rows[name].tolist() for name in (ROLES.subject, ROLES.time, _COUNTED, ROLES.counterpart)]
    places = zip(latitudes.tolist(), longitudes.tolist(), strict=True)
    for owner, time, measure, counterpart, category, present_there, place in zip(
        *columns, categories, present.tolist(), places, strict=True
    ):
        if owner != subject:
            close()
            subject, habits = owner, Habits()
        elif time // DAY_MS != day:
            close()
        day = time // DAY_MS
        habits.add(time, measure, counterpart, category, place if present_there else None)
    close()
    return pd.DataFrame(profiles, columns=[ROLES.subject, "event_time_ms", "profile", "usual"])


def _or_none(column: pd.Series[str]) -> list[str | None]:
    return list(column.astype(object).where(column.notna(), None))
