"""The online store: one read a micro-batch, and newest-wins writes in bulk.

Both speak Feast's Redis layout (``features.feast_encoding``), so that Feast and its feature server read the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import redis
from numpy.typing import NDArray

from features import feast_encoding as encoding
from features.profiles import PROFILE_WIDTH, USUAL_WIDTH, Profiles
from features.redis_connection import connect
from features.settings import Settings
from features.terminal_tiles import COLUMNS, Tiles

_CARD = encoding.key_prefix("card_id")
_TERMINAL = encoding.key_prefix("terminal_id")
#: Rows a Redis script call: long enough to be cheap, short enough to let the scorer's reads in between.
_ROWS_A_CALL = 200
#: Seconds a writer waits for Redis; its batch is tried again later, so it can be patient.
_WRITE_TIMEOUT_S = 5.0


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
    """A customer profile as of ``event_time_ms``: the two arrays that ``features.profiles`` describes."""

    card_id: str
    event_time_ms: int
    profile: NDArray[np.float32]
    usual: NDArray[np.int64]


def _fields(view: str, *features: str) -> list[bytes]:
    """The hash fields of a view: its time first, then the features."""
    return [encoding.timestamp_field(view), *(encoding.feature_field(view, feature) for feature in features)]


_ACTIVITY_FIELDS = _fields("card_activity", "vector", "schema", "score", "transaction_id")
_TERMINAL_FIELDS = _fields("terminal_risk", "tiles", "revision")
_PROFILE_FIELDS = _fields("customer_profile", "profile", "usual", "as_of_ms")


class ProfileReader:
    """Reads terminal risk and customer profiles of a micro-batch in one round trip. Not for use by several threads."""

    def __init__(self, settings: Settings) -> None:
        self._redis = connect(settings.redis_connection, settings.scoring.profile_timeout_s)

    def read(self, card_ids: Sequence[str], terminal_ids: Sequence[str]) -> Profiles:
        """Profiles of n transactions, in their order; ids may repeat. Nothing is judged too old: the times are handed over.

        Raises ProfilesUnavailable.
        """
        cards = {card: i for i, card in enumerate(dict.fromkeys(card_ids))}
        terminals = {terminal: i for i, terminal in enumerate(dict.fromkeys(terminal_ids))}
        keys = [encoding.redis_key(_CARD, card) for card in cards]
        keys += [encoding.redis_key(_TERMINAL, terminal) for terminal in terminals]
        fields = [_PROFILE_FIELDS[:3]] * len(cards) + [_TERMINAL_FIELDS[:2]] * len(terminals)
        rows = self._fetch(keys, fields)
        of_cards, of_terminals = rows[: len(cards)], rows[len(cards) :]

        customer, there = encoding.read_float_rows([row[1] for row in of_cards], PROFILE_WIDTH)
        customer_ts = np.where(there, encoding.read_timestamps([row[0] for row in of_cards]), 0)
        usual = _usual([row[2] for row in of_cards], there)
        flat, ends = encoding.read_integer_lists([row[1] for row in of_terminals])
        terminal_ts = np.where(np.diff(ends, prepend=0) > 0, encoding.read_timestamps([row[0] for row in of_terminals]), 0)

        card_row = np.fromiter(map(cards.__getitem__, card_ids), dtype=np.int64, count=len(card_ids))
        terminal_row = np.fromiter(map(terminals.__getitem__, terminal_ids), dtype=np.int64, count=len(terminal_ids))
        end = ends // COLUMNS
        begin = np.concatenate([np.zeros(1, dtype=np.int64), end[:-1]]) if len(end) else end
        return Profiles(
            customer[card_row],
            usual[card_row],
            customer_ts[card_row],
            flat.reshape(-1, COLUMNS),
            begin[terminal_row],
            end[terminal_row],
            terminal_ts[terminal_row],
        )

    def activity(self, card_ids: Sequence[str]) -> list[Activity | None]:
        """The latest vector of each card, None where there is none. Compare its ``schema`` before use.

        Raises ProfilesUnavailable.
        """
        keys = [encoding.redis_key(_CARD, card) for card in card_ids]
        found: list[Activity | None] = []
        for card, row in zip(card_ids, self._fetch(keys, [_ACTIVITY_FIELDS] * len(keys)), strict=True):
            vector = encoding.read_floats(row[1])
            if vector is None:
                found.append(None)
                continue
            schema, score, transaction = encoding.read_text(row[2]), encoding.read_number(row[3]), encoding.read_text(row[4])
            found.append(Activity(card, encoding.read_timestamp(row[0]), vector, schema or "", score, transaction or ""))
        return found

    def close(self) -> None:
        self._redis.close()

    def _fetch(self, keys: list[bytes], fields: list[list[bytes]]) -> list[list[bytes | None]]:
        if not keys:
            return []
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for key, names in zip(keys, fields, strict=True):
                    pipe.execute_command("HMGET", key, *names)
                rows: list[list[bytes | None]] = pipe.execute()
        except (redis.RedisError, OSError) as error:
            raise ProfilesUnavailable(f"Redis at {self._address} did not answer ({error}); is it up?") from error
        return rows

    @property
    def _address(self) -> str:
        options = self._redis.connection_pool.connection_kwargs
        return f"{options['host']}:{options['port']}"


def _usual(values: Sequence[bytes | None], there: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The ``usual`` arrays of cards [n, USUAL_WIDTH], zeros where there is no profile or the list has another length."""
    flat, ends = encoding.read_integer_lists(values)
    usual = np.zeros((len(values), USUAL_WIDTH), dtype=np.int64)
    whole = np.diff(ends, prepend=0) == USUAL_WIDTH
    if whole.any():
        usual[whole] = flat[(ends[whole, None] - USUAL_WIDTH) + np.arange(USUAL_WIDTH)]
    usual[~there] = 0
    return usual


#: Writes each row unless a newer one is there. Feast's own writer also skips rows of the same time; here the later call wins
#: among equals, because two outcomes may share a time, and each entity has one writer. KEYS: the entities. ARGV: how many
#: fields, their names (the time's first), then for each key: seconds, nanoseconds, the encoded time, the encoded features.
_NEWEST_WINS = """
local width = tonumber(ARGV[1])
local function varint(data, position)
  local value, scale = 0, 1
  while true do
    local byte = string.byte(data, position)
    position = position + 1
    if byte < 128 then return value + byte * scale, position end
    value = value + (byte - 128) * scale
    scale = scale * 128
  end
end
local written = 0
for i, key in ipairs(KEYS) do
  local at = width + 2 + (i - 1) * (width + 2)
  local seconds, nanos = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local stored = redis.call('HGET', key, ARGV[2])
  local newer = true
  if stored then
    local old, position = {[8] = 0, [16] = 0}, 1
    while position <= #stored do
      local tag = string.byte(stored, position)
      old[tag], position = varint(stored, position + 1)
    end
    newer = seconds > old[8] or (seconds == old[8] and nanos >= old[16])
  end
  if newer then
    local pairs_ = {}
    for j = 1, width do
      pairs_[2 * j - 1] = ARGV[1 + j]
      pairs_[2 * j] = ARGV[at + 1 + j]
    end
    redis.call('HSET', key, unpack(pairs_))
    written = written + 1
  end
end
return written
"""


class OnlineWriter:
    """Writes rows of the three views. Writing a row again, or one older than what is there, changes nothing.

    All methods return the number of rows that were new enough, and raise redis.RedisError where Redis does not take them.
    """

    def __init__(self, settings: Settings) -> None:
        self._redis = connect(settings.redis_connection, _WRITE_TIMEOUT_S)
        self._script = self._redis.register_script(_NEWEST_WINS)

    def write_activity(self, rows: Sequence[Activity]) -> int:
        """The latest vectors of cards, for ``card_activity``."""
        return self._write(
            _ACTIVITY_FIELDS,
            [
                (
                    encoding.redis_key(_CARD, row.card_id),
                    row.event_time_ms,
                    [
                        encoding.floats(row.vector),
                        encoding.text(row.schema),
                        encoding.number(row.score),
                        encoding.text(row.transaction_id),
                    ],
                )
                for row in rows
            ],
        )

    def write_terminal_risk(self, rows: Sequence[TerminalRow]) -> int:
        """Tiles of terminals, for ``terminal_risk``."""
        return self._write(
            _TERMINAL_FIELDS,
            [
                (
                    encoding.redis_key(_TERMINAL, row.terminal_id),
                    row.event_time_ms,
                    [encoding.integers(row.tiles.reshape(-1)), encoding.integer(row.revision)],
                )
                for row in rows
            ],
        )

    def write_profiles(self, rows: Sequence[ProfileRow]) -> int:
        """Customer profiles, for ``customer_profile``."""
        return self._write(
            _PROFILE_FIELDS,
            [
                (
                    encoding.redis_key(_CARD, row.card_id),
                    row.event_time_ms,
                    [encoding.floats(row.profile), encoding.integers(row.usual), encoding.integer(row.event_time_ms)],
                )
                for row in rows
            ],
        )

    def close(self) -> None:
        self._redis.close()

    def _write(self, fields: list[bytes], rows: list[tuple[bytes, int, list[bytes]]]) -> int:
        written = 0
        for start in range(0, len(rows), _ROWS_A_CALL):
            part = rows[start : start + _ROWS_A_CALL]
            arguments: list[bytes | int] = [len(fields), *fields]
            for _, time_ms, values in part:
                seconds, rest = divmod(time_ms, 1000)
                arguments += [seconds, rest * 1_000_000, encoding.timestamp(time_ms), *values]
            written += int(self._script(keys=[key for key, _, _ in part], args=arguments))
        return written
