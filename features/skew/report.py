"""What a check of one day says."""

from __future__ import annotations

import msgspec

from features.skew.differences import Differences


class SkewReport(msgspec.Struct):
    """What was found of one day, by source. ``degraded``: how many of the vectors are of scores that are marked so."""

    day: int
    subjects: int
    vectors: int
    degraded: int
    seconds: float
    sources: dict[str, Differences]
