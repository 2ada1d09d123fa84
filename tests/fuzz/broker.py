"""Hostile records through a real broker and the scorer's process."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import msgspec

from features.events import DeadLetter, Score, Transaction
from features.settings import Settings, load
from infra import platform as local
from streams import topics
from streams.codec import BatchDecoder
from streams.core import Record
from tests.fuzz.core import PARTITIONS, Found, records
from tests.integration.killing import Killing, settings_of


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
    # The offset that the broker will give it, instead of one over all partitions.
    ends: Counter[int] = Counter()
    placed = []
    for record in made:
        placed.append(Record(record.topic, record.partition, ends[record.partition], record.key, record.value))
        ends[record.partition] += 1
    good, _, _ = BatchDecoder(Transaction, "scorer").decode(placed)
    found = Found(n, seed)
    outputs = (topics.SCORES, topics.ALERTS)
    with Killing(settings_of(platform, folder), "scorer", (topics.TRANSACTIONS,), outputs, PARTITIONS, seed) as killing:
        killing.under(placed[: n // 10], kills=0)
        found.peak_mib_at_a_tenth = killing.peak_mib()
        killing.under(placed[n // 10 :], kills=0)
        found.peak_mib_at_the_end = killing.peak_mib()
        letters = [msgspec.json.decode(record.value or b"", type=DeadLetter) for record in killing.read(topics.DLQ)]
        scores = killing.read(topics.SCORES)
    wanted = {(r.partition, r.offset): r for r in placed}
    for record in good:
        del wanted[record.partition, record.offset]
    for letter in letters:
        # A second letter for one place would find nothing here.
        record = wanted.pop((letter.partition, letter.offset))
        assert (letter.value or b"", letter.key) == (record.value or b"", record.key and record.key[:10_000])
        assert letter.error
        assert letter.message
    assert not wanted, "lost"
    scored = Counter(msgspec.json.decode(record.value or b"", type=Score).transaction.transaction_id for record in scores)
    assert scored == Counter(msgspec.json.decode(r.value or b"", type=Transaction).transaction_id for r in good)
    found.valid, found.letters = len(scores), len(letters)
    found.by_error = dict(Counter(letter.error for letter in letters).most_common())
    return found
