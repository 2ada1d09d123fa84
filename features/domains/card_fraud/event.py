"""A card payment, as a producer publishes it to ``transactions``."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from features.base.event import Event
from features.base.types import EventTime, Id, Latitude, Longitude, Measure, ShortText

#: The length, too: to Python, ``$`` also lies before a line end.
Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", min_length=3, max_length=3)]
EntryMode = Literal["chip", "contactless", "swipe", "manual", "online"]
#: What became of money: only a purchase moves it from the card, or nothing does (an authorisation that was declined).
PaymentKind = Literal["purchase", "refund", "reversal", "declined"]
#: Only where the card itself was, its owner was (mostly).
PRESENT: tuple[EntryMode, ...] = ("chip", "contactless", "swipe")

_ON_THE_WIRE = {
    "event_id": "transaction_id",
    "subject": "card_id",
    "counterpart": "terminal_id",
    "measure": "amount_minor",
    "category": "merchant_category",
    "mode": "entry_mode",
    "flag": "pin_used",
}


class Payment(Event, omit_defaults=True, gc=False, rename=_ON_THE_WIRE):
    """One card payment, as a producer publishes it to ``transactions``. Money is an integer in minor units of its currency.

    ``kind``: a purchase where it is not told. The amount is never negative: a refund says so by its kind.
    """

    event_id: Id
    event_time_ms: EventTime
    subject: Id
    counterpart: Id
    measure: Measure
    currency: Currency = "EUR"
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    country: ShortText | None = None
    category: ShortText | None = None
    mode: EntryMode | None = None
    flag: bool | None = None
    kind: PaymentKind | None = None
