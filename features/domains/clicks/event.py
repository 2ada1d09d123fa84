"""A click on an item of a shop, as the shop publishes it to ``clicks``."""

from __future__ import annotations

from typing import Literal

from features.base.event import Event
from features.base.types import EventTime, Id, Measure, ShortText

#: Where in the shop the item was shown.
Surface = Literal["feed", "search", "mail", "ad"]

_ON_THE_WIRE = {
    "event_id": "click_id",
    "subject": "user_id",
    "counterpart": "item_id",
    "measure": "dwell_ms",
    "mode": "surface",
}


class Click(Event, omit_defaults=True, gc=False, rename=_ON_THE_WIRE):
    """One look at an item, as the shop publishes it to ``clicks`` when the page is left. ``dwell_ms``: how long it lasted."""

    event_id: Id
    event_time_ms: EventTime
    subject: Id
    counterpart: Id
    measure: Measure
    session_id: ShortText | None = None
    category: ShortText | None = None
    mode: Surface | None = None
