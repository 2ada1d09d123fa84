"""``archive/manifest.json``: up to which offset the archive is complete, by topic and partition.

Every record of a partition below ``next_offset`` is in the archive, unless it is in the DLQ. Written after a batch's files and
before its offsets are committed, so it may lag behind by a crash, and never says too much.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from features.base.files import write_json

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


def read(archive: Path) -> Manifest:
    """What is written; empty where nothing was archived yet. Raises ManifestBroken."""
    path = archive / NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return Manifest()
    except msgspec.MsgspecError as error:
        raise ManifestBroken(f"{path}: {error}; remove it, and the next batch writes it anew") from error


def advance(archive: Path, seen: Mapping[tuple[str, int], Through]) -> None:
    """Move (topic, partition) on; never back. For a holder of ``features.archive.locks.writing``."""
    manifest = read(archive)
    for (topic, partition), now in seen.items():
        partitions = manifest.topics.setdefault(topic, {})
        before = partitions.get(partition)
        if before is not None:
            if before.next_offset >= now.next_offset:
                continue
            now.newest_event_ms = max(now.newest_event_ms, before.newest_event_ms)
        partitions[partition] = now
    manifest.topics = {topic: dict(sorted(manifest.topics[topic].items())) for topic in sorted(manifest.topics)}
    write_json(archive / NAME, manifest)
