"""Records from the future: dated further ahead of the broker's clock than is allowed.

A subject's history is counted from its newest event, so one that is dated far ahead would hide the subject's other events from
each other until that time has come; a label would make an outcome that hides the others of its counterpart. What is compared is
the time that a record gives with the time at which the broker took it, which lies in the log beside it: a replay decides the same
again, a stream that paused goes on, and old months can be replayed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.base.durations import DAY_MS, HOUR_MS, SECOND_MS


class EventAhead(ValueError):
    """A time of the record lies in the future; the message names the field."""


def ahead(event_time_ms: NDArray[np.int64], appended_ms: NDArray[np.int64], lead_ms: int) -> NDArray[np.bool_]:
    """Return which of n transactions come from the future, bool [n].

    ``appended_ms`` int64 [n]: when the broker took each, 0 where not known; ``lead_ms``: how far one may be ahead, 0: any.
    """
    if lead_ms == 0:
        return np.zeros(len(event_time_ms), dtype=np.bool_)
    from_future: NDArray[np.bool_] = (event_time_ms > appended_ms + lead_ms) & (appended_ms > 0)
    return from_future


def is_ahead(time_ms: int, appended_ms: int, lead_ms: int) -> bool:
    """Tell whether one time comes from the future."""
    return lead_ms != 0 and appended_ms > 0 and time_ms > appended_ms + lead_ms


def reason(time_ms: int, appended_ms: int, field: str = "event_time_ms") -> EventAhead:
    """Return why such a record was not taken; ``time_ms`` is what ``field`` says."""
    return EventAhead(
        f"{field} is {_shown(time_ms - appended_ms)} ahead of the broker's clock; correct the producer's clock or "
        "unit and publish it again, or replay it when its time has come (for simulations, scoring.allowed_lead_hours = 0 takes "
        "any time)"
    )


def _shown(span_ms: int) -> str:
    if span_ms >= 2 * DAY_MS:
        return f"{span_ms / DAY_MS:.1f} days"
    if span_ms >= 2 * HOUR_MS:
        return f"{span_ms / HOUR_MS:.1f} hours"
    return f"{span_ms / SECOND_MS:.0f} seconds"
