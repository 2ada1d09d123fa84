"""How far each processor has come in event time, by its own metrics.

Offsets say how many records are to be done; event time says how old the world is that a processor looks at. It is compared with
the newest event that was published, not with the clock, so that a replay of an old month reads as it should.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TypedDict

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from features.base import web_client
from features.base.durations import HOUR_MS
from features.base.events import Event
from features.base.settings import Settings, SettingsError
from infra.inspect.decode import decoder
from infra.inspect.tail import UnknownTopic, newest_each
from streams.engine.future import ahead
from streams.topics import EVENTS
from streams.wire import wire
from streams.wire.wire import Wire

#: Records are a little out of order, and some cannot be read.
_LAST = 50
_METRIC = "driftloop_event_time_seconds"


class EventTime(TypedDict):
    """``newest_ms``: newest event time seen; ``behind_s``: how far that is behind the newest that was published."""

    newest_ms: int
    behind_s: float


def event_times(
    settings: Settings,
    published_ms: int | None = None,
    timeout_s: float = 2.0,
    processes: Collection[str] | None = None,
    silent: list[str] | None = None,
) -> dict[str, EventTime]:
    """Return the event times by processor; those that have seen nothing are left out.

    ``published_ms``: see ``newest_published``. ``processes``: those to ask, by default all. Of a process that does not answer
    ``silent`` gets a line: that its processors are not in the answer does not mean that they have seen nothing.
    """
    newest: dict[str, float] = {}
    for process, port in settings.ports.metrics.items():
        if not port or (processes is not None and process not in processes):
            continue
        url = settings.metrics_url(process)
        try:
            newest |= _seen(url, timeout_s)
        except web_client.FAILURES as error:
            reason = web_client.why(error)
        except ValueError:
            reason = "what is there is no page of metrics"
        else:
            continue
        if silent is not None:
            silent.append(f"{process} does not say how far it is in event time, at {url}: {reason}")
    # Never behind what a processor has seen: the newest event need not be among the last records.
    latest = max(newest.values(), default=0.0)
    if published_ms is not None:
        latest = max(latest, published_ms / 1000)
    return {name: EventTime(newest_ms=round(time * 1000), behind_s=latest - time) for name, time in sorted(newest.items())}


def newest_published(settings: Settings, timeout_s: float = 5.0) -> int | None:
    """Return the newest event time, ms, among the last events of each partition that the scorer can take; None where there is
    none. Raises Unreachable where Kafka does not answer."""
    decode = decoder(Event, EVENTS, _wire(settings))
    try:
        seen = newest_each(settings, EVENTS, _LAST, timeout_s=timeout_s).records
    except UnknownTopic:
        return None
    stamps = [(event.event_time_ms, record.timestamp_ms) for record in seen if (event := decode(record)) is not None]
    if not stamps:
        return None
    times, appended = np.array(stamps, dtype=np.int64).T
    sane = times[~ahead(times, appended, int(settings.scoring.allowed_lead_hours * HOUR_MS))]
    return int(sane.max()) if len(sane) else None


def _wire(settings: Settings) -> Wire | None:
    """Return what reads Avro and Protobuf without waiting; None where this user may not have the registry's password."""
    try:
        return wire.of(settings, again_s=0.0)
    except SettingsError:
        return None


def _seen(url: str, timeout_s: float) -> dict[str, float]:
    text = web_client.read_url(url, timeout_s).decode()
    return {
        sample.labels["processor"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == _METRIC and sample.value > 0
    }
