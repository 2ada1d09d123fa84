"""Hostile records through the scorer's core, in this process: decoder, columns, transform, encoder."""

from __future__ import annotations

import dataclasses
import itertools
import resource
import time
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.events import DeadLetter, Score, Transaction
from features.prediction import Prediction
from features.profiles import Profiles, unknown
from features.reading import Reader
from features.settings import Labels
from streams import topics
from streams.codec import BatchDecoder
from streams.core import Record
from streams.scorer import Scorer
from streams.topics import DLQ_MAX_BYTES
from tests.fuzz.hostile import Hostile

BATCH = 500
PARTITIONS = 4
_letter = msgspec.json.Decoder(DeadLetter).decode
_score = msgspec.json.Decoder(Score).decode


class Found(msgspec.Struct):
    """What became of the records. Memory in MiB, the highest so far, at a tenth of the records and at the end."""

    records: int
    seed: int
    valid: int = 0
    letters: int = 0
    by_error: dict[str, int] = {}
    peak_mib_at_a_tenth: float = 0.0
    peak_mib_at_the_end: float = 0.0
    cpu_s: float | None = None


class NoStore:
    """An online store that knows nobody."""

    def read(self, card_ids: Sequence[str], terminal_ids: Sequence[str]) -> Profiles:
        customers, terminals = unknown(len(card_ids)), unknown(len(terminal_ids))
        return dataclasses.replace(customers, begin=terminals.begin, end=terminals.end, terminal_ts_ms=terminals.terminal_ts_ms)


class NoChampion:
    """A model server before the first model."""

    def predict(self, vectors: NDArray[np.float32], schema: str, event_time_ms: int) -> Prediction | None:
        assert np.isfinite(vectors).all()
        return None

    def close(self) -> None:
        """Nothing is held open."""


def records(seed: int, n: int) -> Iterator[list[Record]]:
    """``n`` records in batches, spread over the partitions as they come."""
    made = itertools.islice(Hostile(seed), n)
    offset = 0
    while batch := list(itertools.islice(made, BATCH)):
        yield [
            Record(topics.TRANSACTIONS, (offset + i) % PARTITIONS, offset + i, key, value) for i, (key, value) in enumerate(batch)
        ]
        offset += len(batch)


def fuzz(seed: int, n: int) -> Found:
    """Raises AssertionError where a record has not exactly one end, and whatever escapes from the core."""
    scorer = Scorer("fraud", NoChampion(), Reader(NoStore()), Labels())
    decoder = BatchDecoder(Transaction, "scorer")
    errors: Counter[str] = Counter()
    found = Found(n, seed)
    began = time.process_time()
    seen = 0
    for batch in records(seed, n):
        good, _, _ = decoder.decode(batch)
        output = scorer.process(batch)
        letters = [_letter(item.value) for item in output.produce if item.topic == topics.DLQ]
        scores = [item for item in output.produce if item.topic == topics.SCORES]
        assert len(scores) + len(letters) == len(output.produce)
        assert max((len(item.value) for item in output.produce), default=0) < DLQ_MAX_BYTES
        by_offset = {record.offset: record for record in batch}
        for letter in letters:
            record = by_offset.pop(letter.offset)
            assert (letter.topic, letter.partition, letter.value) == (record.topic, record.partition, record.value)
            assert letter.error
            assert letter.message
            errors[letter.error] += 1
        assert list(by_offset) == [record.offset for record in good], "each record is scored, or has one letter"
        assert len(scores) == len(good)
        for item, record in zip(scores, good, strict=True):
            assert _score(item.value).transaction == msgspec.json.decode(record.value or b"", type=Transaction)
            assert item.partition == record.partition
        found.valid += len(scores)
        found.letters += len(letters)
        seen += len(batch)
        if not found.peak_mib_at_a_tenth and seen >= n / 10:
            found.peak_mib_at_a_tenth = peak_mib()
    found.by_error = dict(errors.most_common())
    found.peak_mib_at_the_end = peak_mib()
    found.cpu_s = round(time.process_time() - began, 1)
    return found


def peak_mib() -> float:
    """The most memory that this process has held."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
