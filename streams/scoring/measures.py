"""What the scorer counts of each event: its measure in the reference unit (``features.base.conversion``).

The table of rates grows while the scorer runs. It is read again where an event needs it, after LOOK_S: a row that is new counts
from later on (``features.base.kept_rates``), so that no event is converted without a row that counts for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from features.base import kept_rates
from features.base.active import DOMAIN
from features.base.conversion import Converted
from features.base.event import Event
from features.base.settings import Settings

#: What becomes of an event whose measure cannot be counted; kept among the limits by which a log was processed
#: (``streams.engine.settings_history``). OWN: it counted as it stood, before there was a choice.
OWN, DEAD_LETTER, MARK = range(3)
_MODES = {"dead-letter": DEAD_LETTER, "mark": MARK}


class Measures:
    """Convert the measures of batches. ``mode``: what becomes of an event without one, as the settings have it now."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        """Set up; the table is not read before an event needs it, so that a platform of one unit needs no place for it."""
        self.mode = _MODES[settings.units.missing] if DOMAIN.unit_field else OWN
        self._settings, self._clock = settings, clock
        self._units: Callable[[Event], str] = attrgetter(DOMAIN.unit_field) if DOMAIN.unit_field else str
        if self.mode != OWN:
            self._content = b""
            self._converter = kept_rates.converter(settings, [])
            self._looked: float | None = None

    def of(
        self, events: Sequence[Event], measure: NDArray[np.int64], time_ms: NDArray[np.int64], appended_ms: NDArray[np.int64]
    ) -> Converted:
        """Return what n events count, in parts of the reference unit. Raises OSError where the table's place is away."""
        if self.mode == OWN:
            return Converted(measure)
        units = list(map(self._units, events))
        if units.count(self._converter.reference) != len(units):
            self._look()
        return self._converter.convert(units, measure, time_ms, appended_ms)

    def _look(self) -> None:
        # The time before the look: what is added meanwhile may have been missed.
        began = self._clock()
        if self._looked is not None and began - self._looked <= kept_rates.LOOK_S:
            return
        content = kept_rates.content(self._settings)
        if content != self._content:
            self._converter = kept_rates.converter(self._settings, kept_rates.decoded(content))
            self._content = content
        self._looked = began
