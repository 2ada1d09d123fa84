"""One connection to Redis that runs one Lua script, a call after the other, without waiting for answers in between.

redis-py's client and its pool cost as much for a small command as Redis and the socket do; a line uses the connection itself. And
while Redis works on one call, the next one is encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError
from redis.retry import Retry

#: Keys and arguments of one call of the script.
Call: TypeAlias = tuple[Sequence[bytes], Sequence[bytes | int]]


class Line:
    """Not for use by several threads. Connects when it is first used, and again after an error."""

    def __init__(self, address: str, timeout_s: float, script: str) -> None:
        """``address``: HOST:PORT. ``timeout_s``: how long to wait for the connection, and for each answer."""
        host, port = address.rsplit(":", 1)
        self.address = address
        self._script = script
        self._sha: bytes | None = None
        # Retries off: redis-py's default waits through several attempts, and a micro-batch cannot.
        self._connection = redis.Connection(
            host=host,
            port=int(port),
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
        )

    def run(self, calls: Callable[[], Iterable[Call]]) -> list[Any]:
        """What the script returns for each call. Raises redis.RedisError; the script may have run for some calls by then.

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
