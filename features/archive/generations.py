"""Generations of the log: each ``driftloop repartition`` begins a new one, in which partitions and offsets count from zero again.

What names a record by its place in Kafka must tell generations apart. ``archive/generations.json`` holds one entry for each
repartition; without the file it is generation 0, and places are Kafka's own.

- **The archive's partition** is ``generation * STEP + partition``: rows, file names and the manifest go on where they were, each
  place stays unique, and sorting by (partition, offset) keeps the order of the log.
- **A counterpart's revision** is the outcome's offset plus ``revisions``, so that it grows for ever.
- **A dead letter's source** is of the generation that its own place in ``dlq`` tells (``dlq`` is never copied).
"""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path
from typing import Literal

import msgspec

from features.base.settings import SettingsError
from features.base.storage import FolderStore, Store

NAME = "generations.json"
#: Partitions that a generation may have, and more: settings allow 1,000.
STEP = 10_000


class Generation(msgspec.Struct, frozen=True):
    """One repartition. ``partitions`` since then; ``revisions``: what is added to offsets of outcomes; ``letters``: where ``dlq``
    ended; ``begun_ms``: wall time; ``partitioner``: how its subjects are spread (``streams.kafka.partitioners``).
    """

    begun_ms: int
    partitions: int
    revisions: int
    letters: int
    partitioner: Literal["murmur2", "crc32"] = "murmur2"


class Generations(msgspec.Struct, frozen=True):
    """All of them, oldest first."""

    generations: tuple[Generation, ...] = ()

    @property
    def number(self) -> int:
        """Return the number of the generation that is written now."""
        return len(self.generations)

    @property
    def revisions(self) -> int:
        """Return what is added to an outcome's offset now."""
        return self.generations[-1].revisions if self.generations else 0

    def partition(self, kafka_partition: int) -> int:
        """Return the archive's number of a partition now."""
        return self.number * STEP + kafka_partition

    def of_letter(self, offset: int) -> int:
        """Return the generation in which the letter at this offset of ``dlq`` was written."""
        return bisect_right([generation.letters for generation in self.generations], offset)


class GenerationsBroken(SettingsError):
    """The file is none of ours; the message says the way out."""


def of(archived_partition: int) -> int:
    """Return the generation of one of the archive's partitions."""
    return archived_partition // STEP


def read(archive: Path | Store) -> Generations:
    """Read what is written; none where there is no file. Raises GenerationsBroken."""
    store = FolderStore(archive) if isinstance(archive, Path) else archive
    try:
        return msgspec.json.decode(store.read(NAME), type=Generations)
    except FileNotFoundError:
        return Generations()
    except msgspec.MsgspecError as error:
        raise GenerationsBroken(
            f"{store.url}/{NAME}: {error}; restore it: without it, rows to come could take the places of archived ones"
        ) from error


def begin(archive: Path | Store, generation: Generation) -> None:
    """Write the next generation down, once: again with the same ``begun_ms`` changes nothing."""
    store = FolderStore(archive) if isinstance(archive, Path) else archive
    existing = read(store).generations
    if not any(known.begun_ms == generation.begun_ms for known in existing):
        store.write(NAME, msgspec.json.format(msgspec.json.encode(Generations((*existing, generation))), indent=2))
