"""The online store: one round trip a micro-batch to read, and newest-wins writes in bulk.

Both speak Feast's Redis layout (``features.online.feast_encoding``), so that Feast and its feature server read the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import redis
from numpy.typing import NDArray

from features.base import view_names
from features.base.active import ROLES
from features.base.settings import Settings
from features.online import feast_encoding as encoding
from features.online.decode_reply import OF_A_COUNTERPART, OF_A_SUBJECT, decode
from features.online.newest_wins import NEWEST_WINS
from features.online.redis_hmget import Hashes, Run
from features.online.redis_script import Call, Line
from features.transform.counterpart_tiles import Tiles
from features.transform.profiles import Profiles

_SUBJECT = encoding.key_prefix(ROLES.subject)
_COUNTERPART = encoding.key_prefix(ROLES.counterpart)
#: Rows a Redis script call: long enough to be cheap, short enough to let the scorer's reads in between.
_ROWS_A_CALL = 200
#: Seconds a writer waits for Redis; its batch is tried again later, so it can be patient.
_WRITE_TIMEOUT_S = 5.0


Row = TypeVar("Row", "Activity", "CounterpartRow", "ProfileRow")


class ProfilesUnavailable(Exception):
    """Redis did not answer, or not in time: score with what is known, and try again later."""


@dataclass(frozen=True, slots=True)
class Activity:
    """The vector of a subject's latest transaction, float32 [k], as ``subject_activity`` keeps it."""

    subject: str
    event_time_ms: int
    vector: NDArray[np.float32]
    schema: str
    score: float | None
    event_id: str


@dataclass(frozen=True, slots=True)
class CounterpartRow:
    """The tiles of a counterpart, int64 [k, 4], as of ``event_time_ms``, the newest outcome time in them.

    ``revision`` grows with each row.
    """

    counterpart: str
    event_time_ms: int
    tiles: Tiles
    revision: int = 0


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """An owner profile as of ``event_time_ms``: the two arrays that ``features.transform.profiles`` describes."""

    subject: str
    event_time_ms: int
    profile: NDArray[np.float32]
    usual: NDArray[np.int64]


def _fields(view: str, *features: str) -> tuple[bytes, ...]:
    """Return the hash fields of a view: its time first, then the features."""
    return (encoding.timestamp_field(view), *(encoding.feature_field(view, feature) for feature in features))


#: The features of each view, as ``features.feast_repo.views`` declares them; a test compares the two, for Feast is not imported
#: here.
VIEWS = {
    view_names.ACTIVITY: ("vector", "schema", "score", ROLES.id),
    view_names.RISK: ("tiles", "revision"),
    view_names.PROFILE: ("profile", "usual", "as_of_ms"),
}
_ACTIVITY_FIELDS, _COUNTERPART_FIELDS, _PROFILE_FIELDS = (_fields(view, *features) for view, features in VIEWS.items())


class ProfileReader:
    """Reads counterpart risk and owner profiles of a micro-batch in one round trip. Not for use by several threads."""

    def __init__(self, settings: Settings) -> None:
        self._hashes = Hashes(settings.redis_connection, settings.scoring.profile_timeout_s)

    def read(self, subjects: Sequence[str], counterparts: Sequence[str]) -> Profiles:
        """Read profiles of n transactions, in their order; ids may repeat. Nothing is judged too old: the times are handed over.

        Raises ProfilesUnavailable.
        """
        distinct_subjects, distinct_counterparts = list(dict.fromkeys(subjects)), list(dict.fromkeys(counterparts))
        values = self._fetch(
            ([encoding.redis_key(_SUBJECT, subject) for subject in distinct_subjects], _PROFILE_FIELDS[:OF_A_SUBJECT]),
            (
                [encoding.redis_key(_COUNTERPART, counterpart) for counterpart in distinct_counterparts],
                _COUNTERPART_FIELDS[:OF_A_COUNTERPART],
            ),
        )
        profiles = decode(values, len(distinct_subjects))
        if len(distinct_subjects) < len(subjects):
            rows = _rows(distinct_subjects, subjects)
            owner, usual, times = profiles.owner[rows], profiles.usual[rows], profiles.owner_ts_ms[rows]
            profiles = replace(profiles, owner=owner, usual=usual, owner_ts_ms=times)
        if len(distinct_counterparts) < len(counterparts):
            rows = _rows(distinct_counterparts, counterparts)
            profiles = replace(
                profiles, begin=profiles.begin[rows], end=profiles.end[rows], counterpart_ts_ms=profiles.counterpart_ts_ms[rows]
            )
        return profiles

    def activity(self, subjects: Sequence[str]) -> list[Activity | None]:
        """Read the latest vector of each subject, None where there is none. Compare its ``schema`` before use.

        Raises ProfilesUnavailable.
        """
        keys = [encoding.redis_key(_SUBJECT, subject) for subject in subjects]
        values = self._fetch((keys, _ACTIVITY_FIELDS))
        width = len(_ACTIVITY_FIELDS)
        activities: list[Activity | None] = []
        for i, subject in enumerate(subjects):
            row = values[i * width : (i + 1) * width]
            vector = encoding.read_floats(row[1])
            if vector is None:
                activities.append(None)
                continue
            schema, score, transaction = encoding.read_text(row[2]), encoding.read_number(row[3]), encoding.read_text(row[4])
            activities.append(Activity(subject, encoding.read_timestamp(row[0]), vector, schema or "", score, transaction or ""))
        return activities

    def close(self) -> None:
        self._hashes.close()

    def _fetch(self, *runs: Run) -> list[bytes | None]:
        try:
            return self._hashes.read(*runs)
        except (redis.RedisError, OSError) as error:
            raise ProfilesUnavailable(f"Redis at {self._hashes.address} did not answer ({error}); is it up?") from error


def _rows(different: list[str], ids: Sequence[str]) -> NDArray[np.int64]:
    """Return the row of each of ``ids`` among the ``different`` ones."""
    place = {entity: i for i, entity in enumerate(different)}
    return np.fromiter(map(place.__getitem__, ids), dtype=np.int64, count=len(ids))


class OnlineWriter:
    """Writes rows of the three views. Writing a row again, or one older than what is there, changes nothing.

    All methods return the number of rows that were new enough, and raise redis.RedisError where Redis does not take them.
    """

    def __init__(self, settings: Settings) -> None:
        self._line = Line(settings.redis_connection, _WRITE_TIMEOUT_S, NEWEST_WINS)

    def write_activity(self, rows: Sequence[Activity]) -> int:
        """Write the latest vectors of subjects, for ``subject_activity``."""

        def encoded(row: Activity) -> list[bytes]:
            texts = encoding.text(row.schema), encoding.number(row.score), encoding.text(row.event_id)
            return [encoding.floats(row.vector), *texts]

        return self._write(_ACTIVITY_FIELDS, rows, lambda row: encoding.redis_key(_SUBJECT, row.subject), encoded)

    def write_counterpart_risk(self, rows: Sequence[CounterpartRow]) -> int:
        """Write tiles of counterparts, for ``counterpart_risk``."""

        def encoded(row: CounterpartRow) -> list[bytes]:
            return [encoding.integers(row.tiles.reshape(-1)), encoding.integer(row.revision)]

        return self._write(_COUNTERPART_FIELDS, rows, lambda row: encoding.redis_key(_COUNTERPART, row.counterpart), encoded)

    def write_profiles(self, rows: Sequence[ProfileRow]) -> int:
        """Write owner profiles, for ``owner_profile``."""

        def encoded(row: ProfileRow) -> list[bytes]:
            return [encoding.floats(row.profile), encoding.integers(row.usual), encoding.integer(row.event_time_ms)]

        return self._write(_PROFILE_FIELDS, rows, lambda row: encoding.redis_key(_SUBJECT, row.subject), encoded)

    def close(self) -> None:
        self._line.close()

    def _write(
        self, fields: tuple[bytes, ...], rows: Sequence[Row], key: Callable[[Row], bytes], encoded: Callable[[Row], list[bytes]]
    ) -> int:
        def calls() -> Iterator[Call]:
            for start in range(0, len(rows), _ROWS_A_CALL):
                part = rows[start : start + _ROWS_A_CALL]
                arguments: list[bytes | int] = [len(fields), *fields]
                for row in part:
                    seconds, rest = divmod(row.event_time_ms, 1000)
                    arguments += [seconds, rest * 1_000_000, encoding.timestamp(row.event_time_ms)]
                    arguments += encoded(row)
                yield [key(row) for row in part], arguments

        return sum(self._line.run(calls))
