"""Which whole days a job may take."""

from __future__ import annotations

from pathlib import Path

from features.archive.days import day_folders, day_name, day_number, newest_complete_day
from features.base.active import WORDS
from features.base.durations import DAY_MS
from infra.errors import PlatformError


def whole_days(scores: Path, start_ms: int | None, end_ms: int | None, named: bool = True) -> tuple[int, int]:
    """Return the days [first, end) of ``scores`` that lie within the times and are complete.

    ``named``: files are named as the archive names them; else the newest day counts as incomplete. Raises PlatformError where no
    day is left.
    """
    days = [day_number(folder.name) for folder in day_folders(scores)]
    if not days:
        raise PlatformError(f"there are no {WORDS.events} to read; publish some first")
    complete = newest_complete_day(scores) if named else max(days) - 1
    if complete is None or complete < days[0]:
        raise PlatformError(f"no day is complete yet: all {WORDS.events} are of {day_name(days[-1])[4:]}; wait for the next one")
    first = max(days[0], -(-start_ms // DAY_MS) if start_ms is not None else days[0])
    end = min(complete + 1, end_ms // DAY_MS if end_ms is not None else complete + 1)
    if first >= end:
        span = f"{day_name(days[0])[4:]} to {day_name(complete)[4:]}"
        raise PlatformError(f"no complete day lies between --from and --to; complete are {span}")
    return first, end
