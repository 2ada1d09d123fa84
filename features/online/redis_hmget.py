"""Fields of many hashes in Redis, in one round trip: an HMGET a key, written at once and answered while they are parsed.

redis-py makes the connection (TLS, password, database). The reading goes past it: its work for each command of a pipeline costs
more than Redis itself, and so does a Lua script that collects the values.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, islice
from typing import TypeAlias

import hiredis
import redis

from features.online.redis_connection import connect, parsed

#: Keys of hashes that are read alike, and the fields that are wanted of each.
Run: TypeAlias = tuple[Sequence[bytes], tuple[bytes, ...]]
#: Commands a write: Redis works on them while the next ones are encoded.
_COMMANDS_A_WRITE = 128
#: Bytes a look at the socket.
_RECEIVE = 1 << 16
_MORE = object()


class Hashes:
    """Not for use by several threads. Connects when it is first used, and again after an error."""

    def __init__(self, connection: str, timeout_s: float) -> None:
        """Prepare the connection; the first command opens it.

        ``connection`` is as in ``features.online.redis_connection``.
        ``timeout_s``: how long to wait to connect, and for more bytes.
        """
        self.address = parsed(connection)[0]
        self._connection = connect(connection, timeout_s).connection_pool.make_connection()
        self._open: tuple[socket.socket, hiredis.Reader] | None = None

    def read(self, *runs: Run) -> list[bytes | None]:
        """Read the values of the fields for each run, key by key; None where there is none.

        Raises redis.RedisError or OSError. Asks again where Redis has closed the connection since the last time (a restart).
        """
        fresh = self._open is None
        try:
            return self._read(runs)
        except (OSError, redis.ConnectionError) as error:
            if fresh or isinstance(error, TimeoutError):
                raise
            return self._read(runs)

    def close(self) -> None:
        self._connection.disconnect()
        self._open = None

    def _read(self, runs: Sequence[Run]) -> list[bytes | None]:
        try:
            if self._open is None:
                self._connection.connect()
                parser = hiredis.Reader(protocolError=redis.InvalidResponse, replyError=redis.ResponseError, notEnoughData=_MORE)
                self._open = self._connection._sock, parser  # where redis-py's own parsers have the socket from
            commands = chain.from_iterable(_commands(*run) for run in runs)
            while data := b"".join(islice(commands, _COMMANDS_A_WRITE)):
                self._open[0].sendall(data)
            return _values(*self._open, sum(len(keys) for keys, _ in runs))
        except BaseException:
            # Answers that nobody has read would be taken for those of the next read.
            self.close()
            raise


def _values(connected: socket.socket, parser: hiredis.Reader, count: int) -> list[bytes | None]:
    """Read the values in the next ``count`` answers."""
    values: list[bytes | None] = []
    while count:
        answer = parser.gets()
        if answer is _MORE:
            data = connected.recv(_RECEIVE)
            if not data:
                raise redis.ConnectionError("it closed the connection")
            parser.feed(data)
        elif type(answer) is list:
            values += answer
            count -= 1
        else:
            raise answer if isinstance(answer, Exception) else redis.InvalidResponse(f"HMGET gave {answer!r}")
    return values


def _commands(keys: Sequence[bytes], fields: tuple[bytes, ...]) -> Iterator[bytes]:
    """Give an HMGET of the fields for each key, in Redis's protocol (RESP). hiredis packs them a fifth as fast."""
    head, tail = _around(fields)
    return (b"%b$%d\r\n%b\r\n%b" % (head, len(key), key, tail) for key in keys)


@lru_cache
def _around(fields: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    """Return what stands before and behind the key."""
    names = b"".join(b"$%d\r\n%b\r\n" % (len(field), field) for field in fields)
    return b"*%d\r\n$5\r\nHMGET\r\n" % (2 + len(fields)), names
