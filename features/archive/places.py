"""The folders that are compacted: each day of the archive, and the offline rows of the counterparts."""

from __future__ import annotations

import time

from features.archive import layout
from features.archive.compaction import Place
from features.base.settings import Settings

#: A folder that nothing came into for so long gets all of its small files merged; a busy one once it has MANY in a run.
QUIET_S = 600.0
MANY = 32
_STAGING = ".compaction"


def places(settings: Settings) -> list[Place]:
    """List the folders, oldest day first. Staging lies where no reader's pattern reaches, on the same file system."""
    archive = settings.archive
    folders = [
        Place(archive, day, archive / _STAGING / topic / day.name, schema)
        for topic, schema in (("scores", layout.SCORES), ("outcomes", layout.OUTCOMES))
        for day in sorted((archive / topic).glob("day=*"))
    ]
    counterparts = layout.counterpart_risk_folder(settings)
    if counterparts.is_dir():
        folders.append(Place(archive, counterparts, counterparts.parent / _STAGING / counterparts.name, layout.COUNTERPART_RISK))
    return folders


def least(place: Place) -> int:
    """Return how many small files in a row are merged now without being asked for."""
    return 2 if time.time() - place.folder.stat().st_mtime > QUIET_S else MANY
