"""Hostile records through a real broker and the scorer's process."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import msgspec

from features.base.events import DeadLetter, Score
from features.base.settings import Settings, load
from infra.platform import up_down as local
from streams import topics
from tests.fuzz.core import PARTITIONS, Found, Judge, records
from tests.integration.killing import Killing, settings_of

_PARTS = 10


def fuzz_broker(seed: int, n: int) -> Found:
    """Start a broker and a Redis of its own, and stop them. Raises as ``fuzz_on``."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load(Path(folder) / "platform")
        try:
            return fuzz_on(local.up(settings, only={"kafka", "redis"}), Path(folder), seed, n)
        finally:
            local.down(settings)


def fuzz_on(platform: Settings, folder: Path, seed: int, n: int) -> Found:
    """Raises AssertionError where a record has not exactly one end, or the scorer's process ends."""
    made = [record for batch in records(seed, n) for record in batch]
    tally = Found(n, seed)
    outputs = (topics.SCORES, topics.ALERTS)
    with Killing(settings_of(platform, folder), "scorer", (topics.EVENTS,), outputs, PARTITIONS, seed) as killing:
        for part in range(_PARTS):
            killing.under(made[n * part // _PARTS : n * (part + 1) // _PARTS], kills=0)
            tally.mib_by_tenths.append(killing.mib("VmRSS"))
            tally.peak_mib_at_a_tenth = tally.peak_mib_at_a_tenth or killing.mib("VmHWM")
        tally.peak_mib_at_the_end = killing.mib("VmHWM")
        letters = [msgspec.json.decode(record.value or b"", type=DeadLetter) for record in killing.read(topics.DLQ)]
        scores = killing.read(topics.SCORES)
    by_partition = [[r for r in made if r.partition == p] for p in range(PARTITIONS)]
    seen = [(record.partition, msgspec.json.decode(record.value or b"", type=Score).event) for record in scores]
    tally.duplicates = Judge(before=n).judged([r for log in by_partition for r in log], seen, letters)
    tally.valid, tally.letters = len(scores), len(letters)
    assert tally.valid + tally.letters + tally.duplicates == n, "lost"
    tally.by_error = dict(Counter(letter.error for letter in letters).most_common())
    return tally
