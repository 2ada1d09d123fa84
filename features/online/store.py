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

from features.base.settings import Settings
from features.online import feast_encoding as encoding
from features.online.decode_reply import OF_A_CARD, OF_A_TERMINAL, decode
from features.online.newest_wins import NEWEST_WINS
from features.online.redis_hmget import Hashes, Run
from features.online.redis_script import Call, Line
from features.transform.counterpart_tiles import Tiles
from features.transform.profiles import Profiles

_CARD = encoding.key_prefix("card_id")
_TERMINAL = encoding.key_prefix("terminal_id")
#: Rows a Redis script call: long enough to be cheap, short enough to let the scorer's reads in between.
_ROWS_A_CALL = 200
#: Seconds a writer waits for Redis; its batch is tried again later, so it can be patient.
_WRITE_TIMEOUT_S = 5.0


Row = TypeVar("Row", "Activity", "TerminalRow", "ProfileRow")


class ProfilesUnavailable(Exception):
    """Redis did not answer, or not in time: score with what is known, and try again later."""


@dataclass(frozen=True, slots=True)
class Activity:
    """The vector of a card's latest transaction, float32 [k], as ``card_activity`` keeps it."""

    card_id: str
    event_time_ms: int
    vector: NDArray[np.float32]
    schema: str
    score: float | None
    transaction_id: str


@dataclass(frozen=True, slots=True)
class TerminalRow:
    """The tiles of a terminal, int64 [k, 4], as of ``event_time_ms``, the newest outcome time in them.

    ``revision`` grows with each row.
    """

    terminal_id: str
    event_time_ms: int
    tiles: Tiles
    revision: int = 0


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """A customer profile as of ``event_time_ms``: the two arrays that ``features.transform.profiles`` describes."""

    card_id: str
    event_time_ms: int
    profile: NDArray[np.float32]
    usual: NDArray[np.int64]


def _fields(view: str, *features: str) -> tuple[bytes, ...]:
    """The hash fields of a view: its time first, then the features."""
    return (encoding.timestamp_field(view), *(encoding.feature_field(view, feature) for feature in features))


#: The features of each view, as ``features.feast_repo.views`` declares them; a test compares the two, for Feast is not imported
#: here.
VIEWS = {
    "card_activity": ("vector", "schema", "score", "transaction_id"),
    "terminal_risk": ("tiles", "revision"),
    "customer_profile": ("profile", "usual", "as_of_ms"),
}
_ACTIVITY_FIELDS, _TERMINAL_FIELDS, _PROFILE_FIELDS = (_fields(view, *features) for view, features in VIEWS.items())


class ProfileReader:
    """Reads terminal risk and customer profiles of a micro-batch in one round trip. Not for use by several threads."""

    def __init__(self, settings: Settings) -> None:
        self._hashes = Hashes(settings.redis_connection, settings.scoring.profile_timeout_s)

    def read(self, card_ids: Sequence[str], terminal_ids: Sequence[str]) -> Profiles:
        """Profiles of n transactions, in their order; ids may repeat. Nothing is judged too old: the times are handed over.

        Raises ProfilesUnavailable.
        """
        cards, terminals = list(dict.fromkeys(card_ids)), list(dict.fromkeys(terminal_ids))
        values = self._fetch(
            ([encoding.redis_key(_CARD, card) for card in cards], _PROFILE_FIELDS[:OF_A_CARD]),
            ([encoding.redis_key(_TERMINAL, terminal) for terminal in terminals], _TERMINAL_FIELDS[:OF_A_TERMINAL]),
        )
        found = decode(values, len(cards))
        if len(cards) < len(card_ids):
            rows = _rows(cards, card_ids)
            customer, usual, times = found.customer[rows], found.usual[rows], found.customer_ts_ms[rows]
            found = replace(found, customer=customer, usual=usual, customer_ts_ms=times)
        if len(terminals) < len(terminal_ids):
            rows = _rows(terminals, terminal_ids)
            found = replace(found, begin=found.begin[rows], end=found.end[rows], terminal_ts_ms=found.terminal_ts_ms[rows])
        return found

    def activity(self, card_ids: Sequence[str]) -> list[Activity | None]:
        """The latest vector of each card, None where there is none. Compare its ``schema`` before use.

        Raises ProfilesUnavailable.
        """
        keys = [encoding.redis_key(_CARD, card) for card in card_ids]
        values = self._fetch((keys, _ACTIVITY_FIELDS))
        width = len(_ACTIVITY_FIELDS)
        found: list[Activity | None] = []
        for i, card in enumerate(card_ids):
            row = values[i * width : (i + 1) * width]
            vector = encoding.read_floats(row[1])
            if vector is None:
                found.append(None)
                continue
            schema, score, transaction = encoding.read_text(row[2]), encoding.read_number(row[3]), encoding.read_text(row[4])
            found.append(Activity(card, encoding.read_timestamp(row[0]), vector, schema or "", score, transaction or ""))
        return found

    def close(self) -> None:
        self._hashes.close()

    def _fetch(self, *runs: Run) -> list[bytes | None]:
        try:
            return self._hashes.read(*runs)
        except (redis.RedisError, OSError) as error:
            raise ProfilesUnavailable(f"Redis at {self._hashes.address} did not answer ({error}); is it up?") from error


def _rows(different: list[str], ids: Sequence[str]) -> NDArray[np.int64]:
    """The row of each of ``ids`` among the ``different`` ones."""
    place = {one: i for i, one in enumerate(different)}
    return np.fromiter(map(place.__getitem__, ids), dtype=np.int64, count=len(ids))


class OnlineWriter:
    """Writes rows of the three views. Writing a row again, or one older than what is there, changes nothing.

    All methods return the number of rows that were new enough, and raise redis.RedisError where Redis does not take them.
    """

    def __init__(self, settings: Settings) -> None:
        self._line = Line(settings.redis_connection, _WRITE_TIMEOUT_S, NEWEST_WINS)

    def write_activity(self, rows: Sequence[Activity]) -> int:
        """The latest vectors of cards, for ``card_activity``."""

        def encoded(row: Activity) -> list[bytes]:
            texts = encoding.text(row.schema), encoding.number(row.score), encoding.text(row.transaction_id)
            return [encoding.floats(row.vector), *texts]

        return self._write(_ACTIVITY_FIELDS, rows, lambda row: encoding.redis_key(_CARD, row.card_id), encoded)

    def write_terminal_risk(self, rows: Sequence[TerminalRow]) -> int:
        """Tiles of terminals, for ``terminal_risk``."""

        def encoded(row: TerminalRow) -> list[bytes]:
            return [encoding.integers(row.tiles.reshape(-1)), encoding.integer(row.revision)]

        return self._write(_TERMINAL_FIELDS, rows, lambda row: encoding.redis_key(_TERMINAL, row.terminal_id), encoded)

    def write_profiles(self, rows: Sequence[ProfileRow]) -> int:
        """Customer profiles, for ``customer_profile``."""

        def encoded(row: ProfileRow) -> list[bytes]:
            return [encoding.floats(row.profile), encoding.integers(row.usual), encoding.integer(row.event_time_ms)]

        return self._write(_PROFILE_FIELDS, rows, lambda row: encoding.redis_key(_CARD, row.card_id), encoded)

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
