"""A file as work for the publisher, checked whole before its first record."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from features.base.active import WORDS
from infra.cli.publication import Work
from streams.publish.batch import Batch, Labels
from streams.replay.errors import ReplayError
from streams.replay.replay import Replay


@dataclass(frozen=True)
class _Days:
    """Days ``first`` to ``last`` of a file. ``mark`` is what the file was like when it was checked."""

    source: Replay
    path: Path
    first: date | None
    last: date | None
    mark: tuple[int, int, int]

    def batches(self, day: date | None) -> Iterator[Batch]:
        for batch in self.source.batches(day or self.first, self.last):
            if marked(self.path) != self.mark:
                raise ReplayError(f"{self.path} was changed after it was checked")
            yield batch

    def owed(self, day: date) -> Labels:
        return self.source.pending_labels(day)


def work_of(source: Replay, path: Path, first: date | None, last: date | None) -> Work:
    """Check days ``first`` to ``last`` of a file and describe them. Raises ReplayError, naming column and row."""
    mark = marked(path)
    begun = time.monotonic()
    checked = source.check(first, last)
    seconds = time.monotonic() - begun
    left_out = f", {checked.skipped:,} left out as the map file says" if checked.skipped else ""
    print(f"{checked.rows:,} {WORDS.events} of {path.name} checked in {seconds:.1f} s{left_out}", file=sys.stderr)
    return Work(
        command="replay",
        name=str(path),
        options=source.described(),
        days=checked.days,
        source=_Days(source, path, first, last, mark),
        first=first,
        newest_ms=checked.last_ms or 0,
        newest_label_ms=checked.newest_label_ms,
    )


def marked(path: Path) -> tuple[int, int, int]:
    """Return what changes when a file is written anew: its inode, size and time of change."""
    state = os.stat(path)  # noqa: PTH116 - pathlib's own would say the same
    return state.st_ino, state.st_size, state.st_mtime_ns
