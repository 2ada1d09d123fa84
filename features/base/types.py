"""The values that events are made of, with their limits."""

from __future__ import annotations

from typing import Annotated

import msgspec

TEXT_LENGTH = 10_000
#: Times outside 2000-01-01 .. 2100-01-01 are mistakes (seconds instead of milliseconds, mostly).
EventTime = Annotated[int, msgspec.Meta(ge=946_684_800_000, lt=4_102_444_800_000)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
#: What is summed of an event: a non-negative integer in its smallest unit (hundredths of a price, milliseconds).
Measure = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000_00)]
Latitude = Annotated[float, msgspec.Meta(ge=-90.0, le=90.0)]
Longitude = Annotated[float, msgspec.Meta(ge=-180.0, le=180.0)]
#: Free text is bounded, so that whatever is made of a valid record fits into one, too.
ShortText = Annotated[str, msgspec.Meta(max_length=64)]
Text = Annotated[str, msgspec.Meta(max_length=TEXT_LENGTH)]
