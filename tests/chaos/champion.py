"""The champion of the benchmarks, with the thresholds of this run's own history."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.streams import champion
from features.events import Transaction
from features.settings import Settings


def install(settings: Settings, folder: Path, seed: int, history: list[bytes]) -> None:
    """``benchmarks.streams.champion``, with weights from ``seed``; its threshold is taken from the ``history`` (JSON)."""
    champion.install(settings, folder, [msgspec.json.decode(value, type=Transaction) for value in history], seed)
