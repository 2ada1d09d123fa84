"""The setting ``partitioner``: where a platform's subjects belong, and that it is not changed beneath their histories."""

from __future__ import annotations

from collections.abc import Iterable

from features.base.settings import Settings, SettingsError
from streams.engine.homes import ANYWHERE, NAMES, Homes


def homes_of(settings: Settings) -> Homes:
    """Return the partitions of a platform's subjects."""
    return Homes(settings.partitioner, settings.partitions)


def refuse_another(homes: Homes, codes: Iterable[int], topic: str) -> None:
    """Raise SettingsError where a partition of the topic was processed by another partitioner. ``codes``: by which, since when it
    was first processed."""
    for code in codes:
        if ANYWHERE not in (code, homes.code) and code != homes.code:
            raise SettingsError(
                f"partitioner is {homes.partitioner!r}, and {topic} is spread by {NAMES[code - 1]!r}: set partitioner to that, "
                f"or run driftloop repartition --partitioner {homes.partitioner}"
            )
