"""``archive/manifest.json``: up to which offset the archive is complete, by topic and partition.

Every record of a partition below ``next_offset`` is in the archive, unless it is in the DLQ. Written after a batch's files and
before its offsets are committed, so it may lag behind by a crash, and never says too much.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from features.base.storage import FolderStore, Store

NAME = "manifest.json"


class Through(msgspec.Struct):
    """One partition. ``newest_event_ms``: the newest transaction in it; ``written_at_ms``: wall time of the last change."""

    next_offset: int
    newest_event_ms: int
    written_at_ms: int


class Manifest(msgspec.Struct):
    """By topic, then by partition."""

    topics: dict[str, dict[int, Through]] = {}


class ManifestBroken(ValueError):
    """The file is none of ours; the message says the way out."""


def read(archive: Path | Store) -> Manifest:
    """Read what is written; empty where nothing was archived yet. Raises ManifestBroken."""
    store = _store(archive)
    try:
        return msgspec.json.decode(store.read(NAME), type=Manifest)
    except FileNotFoundError:
        return Manifest()
    except msgspec.MsgspecError as error:
        raise ManifestBroken(f"{store.url}/{NAME}: {error}; remove it, and the next batch writes it anew") from error


def advance(archive: Path | Store, seen: Mapping[tuple[str, int], Through]) -> None:
    """Move (topic, partition) on; never back. For a holder of the writers' lock (``features.archive.locks``)."""
    manifest = read(archive)
    for (topic, partition), through in seen.items():
        partitions = manifest.topics.setdefault(topic, {})
        before = partitions.get(partition)
        if before is not None:
            if before.next_offset >= through.next_offset:
                continue
            through.newest_event_ms = max(through.newest_event_ms, before.newest_event_ms)
        partitions[partition] = through
    manifest.topics = {topic: dict(sorted(manifest.topics[topic].items())) for topic in sorted(manifest.topics)}
    _store(archive).write(NAME, msgspec.json.format(msgspec.json.encode(manifest), indent=2))


def _store(archive: Path | Store) -> Store:
    return FolderStore(archive) if isinstance(archive, Path) else archive
