"""What was published onto this platform, and how far: one small JSON file for each publication, in ``published/``.

Only what the broker has acknowledged counts: everything before ``up_to_ms`` is out. Behind it there may be more, after a kill for
instance; ``ends`` are the topics' ends of when ``up_to_ms`` was written, so all of it lies behind them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from features.base.files import Lock, Locked, locked, write_json
from features.base.settings import Settings
from infra.errors import PlatformError

FOLDER = "published"
State = Literal["running", "stopped", "complete"]


class Publication(msgspec.Struct):
    """``name``: what was published, in words. ``options``: what it depends on besides its days. ``days``: a digest of each day,
    by ISO date (UTC); equal ones are the same events again. ``owed_from_ms``: labels of events before it are not owed.

    ``running`` without a process that holds its lock: it was killed.
    """

    command: str
    name: str
    options: dict[str, str]
    days: dict[str, str]
    begun_ms: int
    up_to_ms: int
    owed_from_ms: int = 0
    state: State = "running"
    events: int = 0
    labels: int = 0
    ends: dict[str, dict[int, int]] = {}

    def touched(self) -> dict[str, str]:
        """Return the days of which events can be out."""
        finished = self.state == "complete"
        return {
            day: digest
            for day, digest in self.days.items()
            if day_ms(day) < self.up_to_ms or (day_ms(day) == self.up_to_ms and not finished)
        }

    def shared(self, days: Mapping[str, str]) -> list[str]:
        """Return those of ``days`` that are, or can be, out already, in order."""
        out = set(self.touched().values())
        return sorted(day for day, digest in days.items() if digest in out)


@dataclass(frozen=True)
class Kept:
    """A publication and its file."""

    path: Path
    publication: Publication

    def write(self) -> None:
        """Keep it; it is on the disk when this returns."""
        write_json(self.path, self.publication)

    def forget(self) -> None:
        """Remove it: nothing of it is out."""
        self.path.unlink(missing_ok=True)
        self.path.with_suffix(".lock").unlink(missing_ok=True)


def day_ms(day: str) -> int:
    """Return epoch ms of an ISO date's beginning, UTC."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1000


def new(settings: Settings, publication: Publication) -> Kept:
    """Give a publication a file of its own; it is not written yet."""
    return Kept(_folder(settings) / f"{publication.begun_ms}-{secrets.token_hex(4)}.json", publication)


def read(settings: Settings) -> list[Kept]:
    """Read all publications, the newest first. Raises PlatformError for a file that is none of ours."""
    kept = []
    for path in sorted(_folder(settings).glob("*.json"), reverse=True):
        try:
            kept.append(Kept(path, msgspec.json.decode(path.read_bytes(), type=Publication)))
        except msgspec.MsgspecError as error:
            raise PlatformError(
                f"{path} is damaged ({error}); remove it, and what it says was published is no longer known"
            ) from error
    return kept


@contextmanager
def deciding(settings: Settings) -> Iterator[None]:
    """Let no other process begin a publication while the block runs."""
    with locked(_folder(settings) / ".lock", 30.0):
        yield


@contextmanager
def holding(kept: Kept) -> Iterator[None]:
    """Hold a publication while its records go out. Raises PlatformError where another process does."""
    lock = Lock(kept.path.with_suffix(".lock"))
    try:
        lock.take(0.0)
        yield
    except Locked:
        raise PlatformError(f"{kept.publication.name} is being published by another process; wait for it, or end it") from None
    finally:
        lock.close()


def is_held(kept: Kept) -> bool:
    """Tell whether a process publishes it now."""
    try:
        with holding(kept):
            return False
    except PlatformError:
        return True


def _folder(settings: Settings) -> Path:
    folder = settings.dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return folder
