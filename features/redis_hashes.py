"""Fields of many hashes in Redis, in one round trip: an HMGET a key, written at once and answered while they are parsed.

redis-py makes the connection (TLS, password, database). The reading goes past it: its work for each command of a pipeline costs
more than Redis itself, and so does a Lua script that collects the values.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import TypeAlias

import hiredis
import redis

from features.redis_connection import connect, parsed

#: Keys of hashes that are read alike, and the fields that are wanted of each.
Run: TypeAlias = tuple[Sequence[bytes], Sequence[bytes]]
#: Keys a write: Redis works on them while the next ones are encoded.
_KEYS_A_WRITE = 128
#: Bytes a look at the socket.
_RECEIVE = 1 << 16
_MORE = object()


class Hashes:
    """Not for use by several threads. Connects when it is first used, and again after an error."""

    def __init__(self, connection: str, timeout_s: float) -> None:
        """``connection`` as in ``features.redis_connection``. ``timeout_s``: how long to wait to connect, and for more bytes."""
        self.address = parsed(connection)[0]
        self._connection = connect(connection, timeout_s).connection_pool.make_connection()
        self._socket: socket.socket | None = None

    def read(self, *runs: Run) -> list[bytes | None]:
        """For each run, key by key, the values of the fields; None where there is none.

        Raises redis.RedisError or OSError. Asks again where Redis has closed the connection since the last time (a restart).
        """
        fresh = self._socket is None
        try:
            return self._read(runs)
        except (OSError, redis.ConnectionError) as error:
            if fresh or isinstance(error, TimeoutError):
                raise
            return self._read(runs)

    def close(self) -> None:
        self._connection.disconnect()
        self._socket = None

    def _read(self, runs: Sequence[Run]) -> list[bytes | None]:
        try:
            if self._socket is None:
                self._connection.connect()
                self._socket = self._connection._sock  # where redis-py's own parsers have it from
            for keys, fields in runs:
                for start in range(0, len(keys), _KEYS_A_WRITE):
                    self._socket.sendall(_commands(keys[start : start + _KEYS_A_WRITE], fields))
            return self._answers(self._socket, sum(len(keys) for keys, _ in runs))
        except BaseException:
            # Answers that nobody has read would be taken for those of the next read.
            self.close()
            raise

    @staticmethod
    def _answers(connected: socket.socket, count: int) -> list[bytes | None]:
        """The values in the next ``count`` answers."""
        parser = hiredis.Reader(protocolError=redis.InvalidResponse, replyError=redis.ResponseError, notEnoughData=_MORE)
        values: list[bytes | None] = []
        while count:
            answer = parser.gets()
            if answer is _MORE:
                data = connected.recv(_RECEIVE)
                if not data:
                    raise redis.ConnectionError("it closed the connection")
                parser.feed(data)
                continue
            if type(answer) is not list:
                raise answer if isinstance(answer, Exception) else redis.InvalidResponse(f"HMGET gave {answer!r}")
            values += answer
            count -= 1
        return values


def _commands(keys: Sequence[bytes], fields: Sequence[bytes]) -> bytes:
    """An HMGET of the fields for each key in Redis's protocol (RESP). hiredis packs a command at a time, five times as slowly."""
    head = b"*%d\r\n$5\r\nHMGET\r\n" % (2 + len(fields))
    tail = b"".join(map(_bulk, fields))
    return b"".join([b"%b%b%b" % (head, _bulk(key), tail) for key in keys])


def _bulk(data: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(data), data)
