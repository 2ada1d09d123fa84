"""How far a repartition has come: ``repartition.json`` in the platform's folder, there only while one is unfinished.

::

    copying     the topics are as they were; what was copied so far is thrown away by the next call, which begins anew
    switching   all copies are whole: topic by topic, the original is removed, made anew, and filled from its copy
    finishing   the topics are as they should be; offsets, snapshots, generation and settings follow, then the copies go

Every step of the last two may be done again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from features.base.files import sync, write_json
from features.base.settings import Settings
from infra.errors import PlatformError
from streams.engine.settings_history import History
from streams.kafka.partitioners import Name

NAME = "repartition.json"

Phase = Literal["copying", "switching", "finishing"]
#: Where a group of somebody else's goes on: behind what was copied, or from the beginning, because it had not read all.
Position = Literal["end", "begin"]


class TopicPlan(msgspec.Struct):
    """One topic. ``ends``: up to which offset each old partition is copied; ``copies``: how many of its first records are copies
    already; ``limits``: by what it was processed (``streams.engine.settings_history``); ``counts``: copied records of each new
    one; ``done``: it is switched."""

    config: dict[str, str]
    replicas: int
    ends: dict[int, int]
    counts: dict[int, int] = {}
    done: bool = False
    copies: dict[int, int] = {}
    limits: dict[int, History] = {}


class Journal(msgspec.Struct):
    """``running``: components to start again; ``readers``: groups that are not ours, and the topics that each reads."""

    begun_ms: int
    before: int
    partitions: int
    running: list[str]
    phase: Phase = "copying"
    partitioner: Name = "murmur2"
    readers: dict[str, dict[str, Position]] = {}
    topics: dict[str, TopicPlan] = {}
    revisions: int = 0
    letters: int = 0


def path(settings: Settings) -> Path:
    return settings.dir / NAME


def read(settings: Settings) -> Journal | None:
    """Read the journal; None where no repartition is unfinished. Raises PlatformError for a file that is none of ours."""
    try:
        return msgspec.json.decode(path(settings).read_bytes(), type=Journal)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise PlatformError(f"{path(settings)} is damaged ({error}); restore it, it says what a repartition has done") from error


def write(settings: Settings, journal: Journal) -> None:
    """Write the journal; it is safe on the disk when this returns."""
    write_json(path(settings), journal)


def remove(settings: Settings) -> None:
    """Remove the journal: nothing is unfinished any more."""
    path(settings).unlink(missing_ok=True)
    sync(settings.dir)


def refuse_unfinished(settings: Settings) -> None:
    """Raise PlatformError where a repartition is unfinished: processors must not run on half of it."""
    journal = read(settings)
    if journal is not None:
        raise PlatformError(
            f"a repartition of {settings.dir} from {journal.before} to {journal.partitions} partitions is unfinished; run "
            f"driftloop repartition --partitions {journal.partitions} again, which finishes it"
        )
