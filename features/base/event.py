"""What every domain's event has: an id, a time, a subject, a counterpart and a measure."""

from __future__ import annotations

import msgspec

from features.base.types import EventTime, Id, Measure


class Event(msgspec.Struct, omit_defaults=True, gc=False):
    """The part of an event that the engine knows by name. A domain's own struct extends it
    (``features.base.domain.Domain.event``).

    A domain names the fields on the wire with ``rename``, for which it must declare them again, and may add ``category`` (text),
    ``mode`` (one of up to five texts), ``flag`` (yes or no), ``kind`` (``features.base.domain.Kind``) and ``latitude`` with
    ``longitude``, all optional, and fields of its own.
    """

    event_id: Id
    event_time_ms: EventTime
    subject: Id
    counterpart: Id
    measure: Measure
