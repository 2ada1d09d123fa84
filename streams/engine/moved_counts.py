"""Who puts records into partitions that are not their subject's, and how: on the metrics page, and once in the log."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from streams.engine import metrics
from streams.engine.homes import Homes, Stray
from streams.kafka.partitioners import KNOWN
from streams.kafka.records import Record

log = logging.getLogger(__name__)

#: A producer may say who it is.
CLIENT_HEADER = "driftloop-client"
UNNAMED, OTHERS = "unnamed", "others"
#: Clients that have a line of their own on the metrics page, and how much of a name is shown.
MOST_CLIENTS, LONGEST_NAME = 50, 64


class MovedCounts:
    """Counts moved records by topic, by how they came, and by client."""

    def __init__(self, homes: Homes) -> None:
        self._homes = homes
        self._clients: set[str] = set()
        self._logged: set[tuple[str, str]] = set()

    def count(self, strays: Sequence[Stray]) -> list[Callable[[], None]]:
        """Return what counts these records once they are moved (``streams.engine.core.Output.counted``)."""
        counts = Counter((record.topic, self.came_by(record, subject), self._client(record)) for record, subject, _ in strays)
        for topic, way, client in counts:
            self._warn(topic, way, client)
        return [partial(metrics.MOVED.labels(*labels).inc, count) for labels, count in counts.items()]

    def came_by(self, record: Record, subject: bytes) -> str:
        """Tell how a record came to a partition that is not its subject's: the name of a partitioner, ``no key``, ``another key``
        or ``unknown``."""
        if not record.key:
            return "no key"
        if record.key != subject:
            return "another key"
        ways = (name for name, place in KNOWN.items() if place(subject, self._homes.partitions) == record.partition)
        return next(ways, "unknown")

    def _warn(self, topic: str, way: str, client: str) -> None:
        if (topic, way) in self._logged:
            return
        self._logged.add((topic, way))
        log.warning(
            "%s: records come to other partitions than their subject's (%s, client %s) and are moved; let producers key them by "
            "the subject and spread keys by %s, or set partitioner",
            topic,
            way,
            client,
            self._homes.partitioner,
        )

    def _client(self, record: Record) -> str:
        names = (value for header, value in record.headers if header == CLIENT_HEADER and value)
        name = next(names, b"").decode("utf-8", "replace")[:LONGEST_NAME]
        if not name:
            return UNNAMED
        if name not in self._clients and len(self._clients) >= MOST_CLIENTS:
            return OTHERS
        self._clients.add(name)
        return name
