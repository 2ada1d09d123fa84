"""The stretch of event time that a run learns from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from features.archive import days
from features.base.active import WORDS
from features.base.durations import DAY_MS
from features.base.events import RetrainRequest
from features.base.settings import Settings


class NotEnoughData(ValueError):
    """The archive cannot feed a training yet; the message says what is missing."""


@dataclass(frozen=True)
class Window:
    """Event time in ms. Rows of [start, end]; labels had their time up to ``settled``, and what was known at ``known`` counts: a
    run that is repeated learns the same, whatever was corrected since."""

    start_ms: int
    end_ms: int
    settled_ms: int
    exclude: tuple[tuple[int, int], ...] = ()
    known_ms: int = 0


def window(request: RetrainRequest, settings: Settings, newest_ms: int) -> Window:
    """Return the window of ``request``. It never ends after ``newest_ms``, the newest archived event: a request may carry a later
    clock than a replayed archive."""
    end = min(request.event_time_ms, newest_ms)
    return Window(
        start_ms=end - int(settings.training.days * DAY_MS),
        end_ms=end,
        settled_ms=end - settings.labels.delay_ms,
        exclude=tuple((start, stop) for start, stop in request.exclude),
        known_ms=request.event_time_ms,
    )


def newest_event_ms(archive: Path) -> int:
    """Return the newest event time under ``archive`` (``day=YYYY-MM-DD`` folders of Parquet), read from the last day only.

    Raises NotEnoughData where nothing is archived.
    """
    newest = days.newest_event_ms(archive)
    if newest is not None:
        return newest
    raise NotEnoughData(f"nothing is archived in {archive}; publish {WORDS.events} and let the archive processor run first")
