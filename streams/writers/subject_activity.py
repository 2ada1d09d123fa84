"""Feast writer: scores in, the latest vector of each subject out to Feast's online store.

Guarantee: at least once and newest wins, which together leave each subject with its newest score, by event time, after any crash.
A batch writes each subject once, before its offsets are committed; it may be written again, and older rows lose in the store
(``features.online.store``).
"""

from __future__ import annotations

from collections.abc import Sequence

import redis

from features.base.events import Score
from features.base.settings import Settings
from features.catalogue.vector import unpacked
from features.online.store import Activity, OnlineWriter
from streams import topics
from streams.engine.codec import BatchDecoder
from streams.engine.core import Output
from streams.engine.shell import NEW_S, SINK_BATCH, Shell
from streams.kafka.records import Partition, Record


class FeastWriter:
    """Pure core: no state. Rows are ``features.online.store.Activity``."""

    name = "feast-writer"
    inputs: tuple[str, ...] = (topics.SCORES,)
    outputs: tuple[str, ...] = (topics.DLQ,)
    replays: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._decoder = BatchDecoder(Score, self.name)

    def process(self, records: Sequence[Record]) -> Output:
        """Return the newest score of each subject in the batch, by event time, then by offset.

        Unscored ones count: the vector is there. Those of another kind do not: no model takes their vector.
        """
        _, scores, letters = self._decoder.decode(records)
        newest: dict[str, Score] = {}
        for score in scores:
            if score.decision == "apart":
                continue
            subject = score.event.subject
            held = newest.get(subject)
            if held is None or score.event.event_time_ms >= held.event.event_time_ms:
                newest[subject] = score
        newest_ms = max((score.event.event_time_ms for score in newest.values()), default=None)
        return Output(letters, [_row(score) for score in newest.values()], newest_ms)

    def restore(self, records: Sequence[Record]) -> None:
        """Do nothing: there is nothing to restore."""

    def forget(self, partitions: Sequence[Partition]) -> None:
        """Do nothing: there is nothing to forget."""


def _row(score: Score) -> Activity:
    transaction = score.event
    return Activity(
        subject=transaction.subject,
        event_time_ms=transaction.event_time_ms,
        vector=unpacked(score.features),
        schema=score.schema,
        score=score.score,
        event_id=transaction.event_id,
    )


class FeastSink:
    """Writes the core's rows to Redis. Raises redis.RedisError where Redis is away: the shell waits, the batch is not
    committed."""

    unavailable: tuple[type[Exception], ...] = (redis.RedisError, OSError)

    def __init__(self, settings: Settings) -> None:
        self._writer = OnlineWriter(settings)

    def write(self, rows: list[Activity]) -> None:
        self._writer.write_activity(rows)

    def close(self) -> None:
        self._writer.close()


def build(settings: Settings) -> Shell:
    """Build the writer with its shell."""
    return Shell(settings, FeastWriter(), FeastSink(settings), SINK_BATCH, settings.writers.linger_s, new_s=NEW_S)
