"""What the online store holds of one subject or counterpart, decoded for people."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from features.base.active import WORDS
from features.base.durations import DAY_MS
from features.base.redaction import hashed
from features.base.settings import Settings
from features.catalogue.vector import NAMES, vector_schema
from features.online.store import Activity, ProfileReader, ProfilesUnavailable
from features.transform.profiles import (
    CATEGORIES,
    CATEGORY_MEANS,
    COUNT,
    HOME_LAT,
    HOME_LON,
    HOUR_SHARES,
    HOURS,
    MEAN_MEASURE,
    Profiles,
)
from infra.errors import PlatformError

_HOURS_A_DAY = 24


class StoreAway(PlatformError):
    """Redis does not answer. The request was fine: exit code 1."""

    exit_code = 1


class UnknownEntity(PlatformError):
    """The online store holds nothing of it. The request was fine: exit code 1."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Profile:
    """An owner's profile. Measures in units; ``hours``: shares of the hours of the day, UTC; categories (with their
    mean measures) and counterparts by their numbers (``features.transform.columns``), most used first.
    """

    as_of_ms: int
    home: tuple[float, float] | None
    mean_measure: float
    events: int
    hours: list[float]
    categories: dict[str, float]
    counterparts: list[int]


@dataclass(frozen=True, slots=True)
class Subject:
    """The latest vector of a subject; ``features`` by name where it was made under today's schema, else by position."""

    subject: str
    event_time_ms: int | None = None
    age_s: float | None = None
    event_id: str | None = None
    score: float | None = None
    schema: str | None = None
    schema_is_current: bool = False
    features: dict[str, float] = field(default_factory=dict)
    profile: Profile | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """One day (UTC) at a counterpart: known outcomes, positives, and positives that the subject's own behaviour does not
    explain."""

    day_ms: int
    outcomes: int
    positives: int
    unexplained: int


@dataclass(frozen=True, slots=True)
class Counterpart:
    """The tiles of a counterpart, as days. ``as_of_ms``: the newest outcome in them."""

    counterpart: str
    as_of_ms: int
    age_s: float
    hours: int
    days: list[Day]


def subject(settings: Settings, subject: str) -> Subject:
    """Read what the online store knows of a subject. Raises UnknownEntity, StoreAway, PlatformError."""
    reader = _reader(settings)
    try:
        [activity] = reader.activity([subject])
        profile = _profile(reader.read([subject], []))
    except ProfilesUnavailable as error:
        raise StoreAway(f"{error} See driftloop status") from error
    finally:
        reader.close()
    if activity is None and profile is None:
        raise UnknownEntity(
            f"the online store knows no {WORDS.subject} {hashed(settings, subject)}; it does after its first scored {WORDS.event}"
        )
    return (
        Subject(subject, profile=profile) if activity is None else _subject(activity, profile, vector_schema(settings.features))
    )


def counterpart(settings: Settings, counterpart: str) -> Counterpart:
    """Read what the online store knows of a counterpart. Raises UnknownEntity, StoreAway, PlatformError."""
    reader = _reader(settings)
    try:
        read = reader.read([], [counterpart])
    except ProfilesUnavailable as error:
        raise StoreAway(f"{error} See driftloop status") from error
    finally:
        reader.close()
    as_of = int(read.counterpart_ts_ms[0])
    if not as_of:
        raise UnknownEntity(
            f"the online store knows no {WORDS.counterpart} {hashed(settings, counterpart)}; it does after its first outcome"
        )
    tiles = read.tiles[read.begin[0] : read.end[0]]
    days, row = np.unique(tiles[:, 0] // _HOURS_A_DAY, return_inverse=True)
    counts = np.zeros((len(days), 3), dtype=np.int64)
    np.add.at(counts, row, tiles[:, 1:])
    by_day = [Day(day * DAY_MS, *of_day) for day, of_day in zip(days.tolist(), counts.tolist(), strict=True)]
    return Counterpart(counterpart, as_of, _age_s(as_of), len(tiles), by_day)


def _reader(settings: Settings) -> ProfileReader:
    if not settings.feast.redis and not settings.ports.redis:
        raise PlatformError(f"there is no platform in {settings.dir}; run driftloop up first, or name another folder with --dir")
    return ProfileReader(settings)


def _subject(activity: Activity, profile: Profile | None, schema: str) -> Subject:
    current = activity.schema == schema and len(activity.vector) == len(NAMES)
    names = NAMES if current else tuple(str(i) for i in range(len(activity.vector)))
    return Subject(
        activity.subject,
        activity.event_time_ms,
        _age_s(activity.event_time_ms),
        activity.event_id,
        activity.score,
        activity.schema,
        current,
        dict(zip(names, activity.vector.tolist(), strict=True)),
        profile,
    )


def _profile(read: Profiles) -> Profile | None:
    as_of = int(read.owner_ts_ms[0])
    if not as_of:
        return None
    values, usual = read.owner[0], read.usual[0]
    home = (float(values[HOME_LAT]), float(values[HOME_LON]))
    categories = {
        str(number): float(values[CATEGORY_MEANS + i]) for i, number in enumerate(usual[:CATEGORIES].tolist()) if number
    }
    return Profile(
        as_of,
        None if np.isnan(home).any() else home,
        float(values[MEAN_MEASURE]),
        int(values[COUNT]),
        values[HOUR_SHARES : HOUR_SHARES + HOURS].tolist(),
        categories,
        [number for number in usual[CATEGORIES:].tolist() if number],
    )


def _age_s(event_time_ms: int) -> float:
    """Return the seconds of wall time since then."""
    return time.time() - event_time_ms / 1000
