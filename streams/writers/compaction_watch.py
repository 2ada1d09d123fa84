"""Compaction beside the writers: now and then, small files of the archive and of the counterparts' offline rows are merged.

A thin watch around ``features.archive.compaction``. A folder that has gone quiet is merged as a whole, a busy one once it has
many small files; while somebody reads the archive, it waits. Whatever goes wrong is logged and tried again; it never ends the
process that the watch lives in.
"""

from __future__ import annotations

import logging
import threading

from features.archive import places
from features.archive.compaction import Compacted, ReadersThere, compact
from features.archive.exchange import ExchangeUnsupported
from features.base.settings import Settings, SettingsError

log = logging.getLogger(__name__)


class CompactionWatch:
    """Looks at every folder each ``writers.compact_s`` seconds until ``stop()``.

    Runs beside shells (``streams.engine.runner``).
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()

    def run(self) -> None:
        """Run the loop. Raises nothing."""
        pause = self._settings.writers.compact_s
        if pause == 0:
            log.info("compaction: not asked for (writers.compact_s = 0)")
        try:
            log.debug("compaction of %s", self._settings.archive)
        except SettingsError as error:
            # The processes beside it go on.
            log.warning("small files are not merged: %s", error)
            pause = 0
        while not self._stop.wait(pause or None):
            try:
                self.look()
            except ReadersThere as error:
                log.info("compaction waits: %s", error)
            except ExchangeUnsupported as error:
                log.warning("compaction: %s", error)
                return
            except Exception:
                log.warning("compaction failed, and is tried again", exc_info=True)

    def look(self) -> Compacted:
        """Merge what is due. Raises as ``features.archive.compaction.compact``."""
        total = Compacted()
        for place in places.places(self._settings):
            if self._stop.is_set():
                break
            done = compact(place, places.least(place))
            if done.before:
                log.info("%s: %d files of %d rows are %d now", place.folder, done.before, done.rows, done.after)
            total += done
        return total

    def stop(self) -> None:
        """End the loop after the folder in hand."""
        self._stop.set()

    def health(self) -> list[str]:
        """Return an empty list: a restart would mend nothing."""
        return []


def build(settings: Settings) -> CompactionWatch:
    """Build the watch as a processor."""
    return CompactionWatch(settings)
