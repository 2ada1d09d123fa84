"""How long a client is waited for that does not get through: as long as nobody does.

librdkafka 2.16 can lose its way to a coordinator for good: after a broker was killed several times on an overloaded machine, a
consumer's questions and a producer's abort timed out for minutes, while the broker answered everyone else (docs/chaos.md). Such a
client does not come back. Its process ends, and its supervisor starts it anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import KafkaException, TopicPartition

from features.base.settings import Settings
from streams.kafka.clients import consumer

#: So long a client may wait before another one is tried beside it, and so long until that is tried once more.
AFTER_S, AGAIN_S = 30.0, 10.0
_ANSWER_S = 5.0

#: Whether a new client gets through.
Probe = Callable[[], bool]


class ClientStuck(RuntimeError):
    """Others get an answer, and this client does not; only a new one will."""


class Patience:
    """Of one wait. ``probe`` is asked twice, with a pause between, before the client is given up. ``clock`` in seconds."""

    def __init__(self, name: str, probe: Probe, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._probe = probe
        self._clock = clock
        self._began = clock()
        self._ask_at = self._began + AFTER_S
        self._got_through = False

    def failed(self, what: str) -> None:
        """Note that one more try came to nothing. Raises ClientStuck."""
        if self._clock() < self._ask_at:
            return
        again = self._probe()
        if again and self._got_through:
            waited = self._clock() - self._began
            raise ClientStuck(f"{self._name}: {what} for {waited:.0f} s, and new clients get through: this one does not any more")
        self._got_through = again
        self._ask_at = self._clock() + AGAIN_S


def gets_through(settings: Settings, group: str, topic: str) -> bool:
    """Tell whether a client that is made now gets to the group's coordinator, and is told what is committed of ``topic``."""
    asked = consumer(settings, group, log_level=0)
    try:
        committed = asked.committed([TopicPartition(topic, 0)], _ANSWER_S)
    except KafkaException:
        return False
    finally:
        asked.close()
    return all(tp.error is None for tp in committed)
