"""One connection to Redis that runs one Lua script, a call after the other, without waiting for answers in between.

redis-py's client and its pool cost as much for a small command as Redis and the socket do; a line uses the connection itself. And
while Redis works on one call, the next one is encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import redis
from redis.exceptions import NoScriptError

from features.online.redis_connection import connect, parsed

#: Keys and arguments of one call of the script.
Call: TypeAlias = tuple[Sequence[bytes], Sequence[bytes | int]]


class Line:
    """Not for use by several threads. Connects when it is first used, and again after an error."""

    def __init__(self, connection: str, timeout_s: float, script: str) -> None:
        """Prepare the connection; the first command opens it.

        ``connection`` is as in ``features.online.redis_connection``.
        ``timeout_s``: how long to wait to connect, and for each answer.
        """
        self.address = parsed(connection)[0]
        self._script = script
        self._sha: bytes | None = None
        self._connection = connect(connection, timeout_s).connection_pool.make_connection()

    def run(self, calls: Callable[[], Iterable[Call]]) -> list[Any]:
        """Run the script for each call, return its answers. Raises redis.RedisError; the script may have run for some by then.

        ``calls`` is asked again where Redis has closed the connection or forgotten the script since the last time (a restart), so
        the script must be one that may run twice.
        """
        fresh = self._sha is None
        try:
            return self._run(calls())
        except (redis.ConnectionError, NoScriptError):
            if fresh:
                raise
            return self._run(calls())

    def close(self) -> None:
        self._connection.disconnect()
        self._sha = None

    def _run(self, calls: Iterable[Call]) -> list[Any]:
        connection = self._connection
        try:
            if self._sha is None:
                connection.send_command("SCRIPT", "LOAD", self._script)
                self._sha = connection.read_response(disable_decoding=True)
            sent = 0
            for keys, arguments in calls:
                connection.send_command("EVALSHA", self._sha, len(keys), *keys, *arguments)
                sent += 1
            return [connection.read_response(disable_decoding=True) for _ in range(sent)]
        except BaseException:
            # Answers that nobody has read would be taken for those of the next calls.
            self.close()
            raise
