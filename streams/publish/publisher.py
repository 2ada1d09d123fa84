"""The publisher: batches of a source onto ``transactions`` and ``labels``, merged in event time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message

from features.base.durations import DAY_MS
from features.base.settings import Settings
from streams import topics
from streams.kafka.clients import producer
from streams.kafka.partitioners import SETTING
from streams.publish.batch import Batch, Labels, no_labels
from streams.publish.encode import Written, encode_events, encode_labels, keys
from streams.publish.limits import check
from streams.publish.lockstep import Lockstep
from streams.publish.merge import Chunk, due, segments
from streams.publish.report import PublishReport, Reached

#: Rows encoded at once: enough for the encoder's speed, little enough that a day of a million rows needs no gigabyte.
CHUNK_ROWS = 10_000
#: Even a slow broker has taken a full local queue by then; what is left after it is lost, and said so.
FLUSH_S = 120.0
CONNECT_S = 10.0


class PublishError(RuntimeError):
    """The broker did not take every record; the message says how many and why."""


class Publisher:
    """Publishes batches of one source. May be called again and again with the batches that follow: labels that are not due
    yet are kept from call to call.

    ``boundary_ms``: at each multiple of it in event time everything is flushed, ``lockstep`` (where given) waits until the loop
    has caught up, and ``on_boundary(event_time_ms)`` is called. ``on_acknowledged(reached)`` is called as soon as everything
    before a boundary is acknowledged, before the lockstep waits. ``speed``: event time over wall time, None for as fast as can
    be. ``pending``: labels owed from before the first batch; ``written``: how values are written, by default as JSON. Use as a
    context manager, or call ``close()``.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        boundary_ms: int = DAY_MS,
        lockstep: Lockstep | None = None,
        on_boundary: Callable[[int], None] | None = None,
        on_acknowledged: Callable[[Reached], None] | None = None,
        speed: float | None = None,
        pending: Labels | None = None,
        written: Written | None = None,
    ) -> None:
        extra: dict[str, Any] = {
            "linger.ms": 20,
            "delivery.report.only.error": True,
            "log_level": 2,
            "partitioner": SETTING[settings.partitioner],
        }
        # What goes wrong is raised; librdkafka's own log lines would only say it again, and again.
        self._producer = producer(settings, **extra)
        self._look(settings)
        self._boundary_ms = boundary_ms
        self._lockstep = lockstep
        self._on_boundary = on_boundary
        self._on_acknowledged = on_acknowledged
        self._speed = speed
        self._pending = pending if pending is not None else no_labels()
        self._written = written or Written()
        self._failed = 0
        self._lost = False
        self._reason = ""
        #: How many were handed to the client, and what of them was acknowledged at the last flush.
        self._events = self._labels = 0
        self._reached = Reached()
        #: Wall and event time from which the pace is counted.
        self._pace_from: tuple[float, int] | None = None

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the broker; what was published is flushed already."""
        self._producer.purge()
        self._producer.flush(1)

    def publish(self, batches: Iterable[Batch]) -> PublishReport:
        """Publish the batches and the labels that become due; return when the broker has acknowledged everything.

        Raises PublishError where records were not taken, LockstepError where the loop does not catch up, and LimitError for a
        batch of which no processor would take all, before any of it is published. ``reached`` tells then how far it came.
        """
        report = PublishReport()
        started = time.monotonic()
        end_ms = None
        for batch in batches:
            check(batch)
            end_ms = batch.end_ms
            labels, self._pending = due(self._pending, batch)
            for segment in segments(batch, labels, self._boundary_ms, CHUNK_ROWS):
                for chunk in segment.chunks:
                    self._send(chunk)
                if segment.boundary:
                    self._pause_until(segment.end_ms)
                    self._at_boundary(segment.end_ms, report)
            report.transactions += len(batch.transactions)
            report.labels += len(labels)
            report.positives += int(batch.truth.positive.sum())
            if len(batch.transactions):
                if report.first_event_ms is None:
                    report.first_event_ms = int(batch.transactions.event_time_ms[0])
                report.last_event_ms = int(batch.transactions.event_time_ms[-1])
        self._flush()
        if end_ms is not None:
            self._acknowledged(end_ms)
        report.labels_pending = len(self._pending)
        report.seconds = time.monotonic() - started
        return report

    def drain(self) -> PublishReport:
        """Publish the labels that are still pending, at once, as if event time had gone on. There is no boundary in it."""
        started = time.monotonic()
        labels, self._pending = self._pending, no_labels()
        for key, value in zip(keys(labels.subject), encode_labels(labels, self._written.labels), strict=True):
            self._produce(topics.LABELS, key, value)
            self._labels += 1
        self._flush()
        self._reached = Reached(self._events, self._labels, self._reached.up_to_ms)
        return PublishReport(labels=len(labels), seconds=time.monotonic() - started)

    def reached(self, patience_s: float = 0.0) -> Reached:
        """Tell how far it came, after an error or an interrupt too. Waits ``patience_s`` at most for what is on its way."""
        if self._producer.flush(patience_s) == 0 and not (self._failed or self._lost):
            return Reached(self._events, self._labels, self._reached.up_to_ms)
        return replace(self._reached, exact=False)

    def _acknowledged(self, event_time_ms: int | None) -> None:
        self._reached = Reached(self._events, self._labels, event_time_ms)
        if self._on_acknowledged is not None:
            self._on_acknowledged(self._reached)

    def _look(self, settings: Settings) -> None:
        """Raise PublishError unless the broker answers and both topics are there: using them must not create them."""
        try:
            existing = self._producer.list_topics(timeout=CONNECT_S).topics
        except KafkaException as error:
            raise PublishError(f"no Kafka broker answers at {settings.bootstrap}; run driftloop up first") from error
        for name in (topics.EVENTS, topics.LABELS):
            if name not in existing:
                raise PublishError(f"there is no topic {name} at {settings.bootstrap}; run driftloop up first")

    def _send(self, chunk: Chunk) -> None:
        events = zip(keys(chunk.transactions.subject), encode_events(chunk.transactions, self._written.events), strict=True)
        labels = zip(keys(chunk.labels.subject), encode_labels(chunk.labels, self._written.labels), strict=True)
        for event_time, is_label in zip(chunk.times.tolist(), chunk.is_label.tolist(), strict=True):
            if self._speed is not None:
                self._pause_until(event_time)
            key, value = next(labels) if is_label else next(events)
            self._produce(topics.LABELS if is_label else topics.EVENTS, key, value)
            if is_label:
                self._labels += 1
            else:
                self._events += 1
        self._producer.poll(0)
        self._check()

    def _produce(self, topic: str, key: bytes, value: bytes) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=self._on_delivery)
            except BufferError:
                self._producer.poll(0.1)
                self._check()
            else:
                return

    def _pause_until(self, event_time_ms: int) -> None:
        """Sleep until ``event_time_ms`` is due at the asked speed."""
        if self._speed is None:
            return
        clock_s = time.monotonic()
        if self._pace_from is None:
            self._pace_from = (clock_s, event_time_ms)
        wall, event = self._pace_from
        ahead = (event_time_ms - event) / 1000 / self._speed - (clock_s - wall)
        # Shorter naps cost more than they are worth.
        if ahead > 0.002:
            self._producer.poll(0)
            time.sleep(ahead)

    def _at_boundary(self, event_time_ms: int, report: PublishReport) -> None:
        self._flush()
        self._acknowledged(event_time_ms)
        if self._lockstep is not None:
            started = time.monotonic()
            self._lockstep.wait()
            waited = time.monotonic() - started
            report.waited_s += waited
            if self._pace_from is not None:
                wall, event = self._pace_from
                self._pace_from = (wall + waited, event)
        if self._on_boundary is not None:
            self._on_boundary(event_time_ms)

    def _flush(self) -> None:
        left = self._producer.flush(FLUSH_S)
        self._check()
        if left:
            raise PublishError(f"{left} records were not acknowledged within {FLUSH_S:.0f} s; see driftloop status")

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        # Successful deliveries are not reported (delivery.report.only.error), which doubles the rate.
        if error is not None:
            self._failed += 1
            self._reason = str(error)

    def _check(self) -> None:
        if self._failed:
            failed, self._failed = self._failed, 0
            self._lost = True
            raise PublishError(f"{failed} records were not taken by the broker ({self._reason}); see driftloop status")
