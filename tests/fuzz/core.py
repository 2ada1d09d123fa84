"""Hostile records through the scorer's core, in this process: decoder, columns, transform, encoder."""

from __future__ import annotations

import dataclasses
import itertools
import resource
import tempfile
import time
import zlib
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.base.event import Event
from features.base.events import DeadLetter, Score
from features.base.model_client import Prediction
from features.base.settings import Settings
from features.domains.card_fraud.event import Payment
from features.online.cached_reader import Reader
from features.transform.profiles import Profiles, unknown
from streams import topics
from streams.engine.codec import Decoder
from streams.engine.core import ATTEMPT_HEADER, MOST_DIGITS, MOST_HEADERS, MOST_KEY, Output
from streams.engine.homes import Homes
from streams.engine.repartition_header import negative
from streams.kafka.partitioners import murmur2
from streams.kafka.records import Produce, Record
from streams.scoring.scorer import Scorer
from streams.topics import DLQ_MAX_BYTES
from streams.wire.ours import FORMATS
from streams.wire.wire import Wire
from tests.fuzz.headers import Headers, hostile_headers
from tests.fuzz.hostile import Hostile
from tests.unit.streams.wire.source import Schemas, wire

BATCH = 500
PARTITIONS = 4
HOMES = Homes("murmur2", PARTITIONS)
_letter = msgspec.json.Decoder(DeadLetter).decode
_score = msgspec.json.Decoder(Score).decode


class Found(msgspec.Struct):
    """What became of the records. Memory in MiB, the highest so far, at a tenth of the records and at the end; of the scorer's
    process also what it held after each tenth, when it had caught up."""

    records: int
    seed: int
    valid: int = 0
    letters: int = 0
    duplicates: int = 0
    #: Came to another partition than their card's, and were moved, some more than once; they are counted once more where they go.
    moved: int = 0
    by_error: dict[str, int] = {}
    peak_mib_at_a_tenth: float = 0.0
    peak_mib_at_the_end: float = 0.0
    mib_by_tenths: list[float] = []
    cpu_s: float | None = None


class NoStore:
    """An online store that knows nobody."""

    def read(self, subjects: Sequence[str], counterparts: Sequence[str]) -> Profiles:
        owners, distinct_counterparts = unknown(len(subjects)), unknown(len(counterparts))
        return dataclasses.replace(
            owners,
            begin=distinct_counterparts.begin,
            end=distinct_counterparts.end,
            counterpart_ts_ms=distinct_counterparts.counterpart_ts_ms,
        )


class NoChampion:
    """A model server before the first model."""

    def predict(self, vectors: NDArray[np.float32], schema: str, event_time_ms: int) -> Prediction | None:
        assert np.isfinite(vectors).all()
        return None

    def close(self) -> None:
        """Nothing is held open."""


class Log:
    """A topic: each record lies at the next offset of its partition."""

    def __init__(self) -> None:
        self._ends = [0] * PARTITIONS

    def append(self, partition: int, key: bytes | None, value: bytes | None, headers: Headers) -> Record:
        self._ends[partition] += 1
        return Record(topics.EVENTS, partition, self._ends[partition] - 1, key, value, headers)


def records(seed: int, n: int, log: Log | None = None) -> Iterator[list[Record]]:
    """``n`` records in batches, a key always in the same partition, by librdkafka's default way: most lie elsewhere than the
    platform's way would have them."""
    made = itertools.islice(zip(Hostile(seed), hostile_headers(seed), strict=False), n)
    topic = log or Log()
    while batch := list(itertools.islice(made, BATCH)):
        yield [topic.append(zlib.crc32(key or b"") % PARTITIONS, key, value, headers) for (key, value), headers in batch]


def with_moves(scorer: Scorer, batches: Iterator[list[Record]], log: Log) -> Iterator[tuple[list[Record], Output]]:
    """Each batch with what the scorer makes of it, and behind it what was moved, until nothing more is."""
    for first in batches:
        batch = first
        while batch:
            output = scorer.process(batch)
            yield batch, output
            moves = [item for item in output.produce if item.topic == topics.EVENTS]
            batch = [log.append(item.partition, item.key, item.value, item.headers) for item in moves]


def fuzz(seed: int, n: int) -> Found:
    """Raises AssertionError where a record has not exactly one end, and whatever escapes from the core."""
    with tempfile.TemporaryDirectory() as folder:
        return _fuzz(seed, n, schemas(Path(folder)))


def schemas(folder: Path) -> Wire:
    """Read values by our own schemas, in the order in which ``Hostile`` numbers them."""
    source = Schemas()
    for form in FORMATS:
        source.add(form)
    return wire(folder, source)


def _fuzz(seed: int, n: int, values: Wire) -> Found:
    log = Log()
    scorer = Scorer(Settings(), NoChampion(), Reader(NoStore()), homes=HOMES, wire=values)
    errors: Counter[str] = Counter()
    tally = Found(n, seed)
    began = time.process_time()
    seen = 0
    judge = Judge(values)
    for batch, output in with_moves(scorer, records(seed, n, log), log):
        assert max((len(item.value) for item in output.produce), default=0) < DLQ_MAX_BYTES
        letters = [_letter(item.value) for item in output.produce if item.topic == topics.DLQ]
        scores = [(item.partition, _score(item.value).event) for item in output.produce if item.topic == topics.SCORES]
        moves = [item for item in output.produce if item.topic == topics.EVENTS]
        assert len(scores) + len(letters) + len(moves) == len(output.produce)
        tally.duplicates += judge.judged(batch, scores, letters, moves)
        tally.moved += len(moves)
        errors.update(letter.error for letter in letters)
        tally.valid += len(scores)
        tally.letters += len(letters)
        seen += len(batch)
        if not tally.peak_mib_at_a_tenth and seen - tally.moved >= n / 10:
            tally.peak_mib_at_a_tenth = peak_mib()
    assert tally.valid + tally.letters + tally.duplicates == n
    assert tally.moved
    tally.by_error = dict(errors.most_common())
    tally.peak_mib_at_the_end = peak_mib()
    tally.cpu_s = round(time.process_time() - began, 1)
    return tally


class Judge:
    """Holds the ends of records against the records: a score, or one dead letter, or the same transaction was there before."""

    def __init__(self, values: Wire | None = None, before: int = 2000) -> None:
        """``before``: among how many of the newest transactions a duplicate's first may be; ``values``: reads what is no JSON."""
        self._decode = Decoder(Payment, values).decode
        self._before: deque[tuple[int, Event]] = deque(maxlen=before)

    def judged(
        self,
        batch: Sequence[Record],
        scores: Sequence[tuple[int, Event]],
        letters: Sequence[DeadLetter],
        moves: Sequence[Produce] = (),
    ) -> int:
        """How many of the batch were duplicates. ``scores``: partition and transaction, in the order of their partitions;
        ``moves``: in the order of the batch."""
        moving = deque(moves)
        by_place = {(letter.partition, letter.offset): letter for letter in letters}
        assert len(by_place) == len(letters), "one letter a record"
        waiting: dict[int, deque[Event]] = {}
        for partition, transaction in scores:
            waiting.setdefault(partition, deque()).append(transaction)
        duplicates = 0
        for record in batch:
            letter = by_place.pop((record.partition, record.offset), None)
            if letter is not None:
                key = None if record.key is None else record.key[:MOST_KEY]
                assert (letter.topic, letter.value, letter.key) == (record.topic, record.value, key)
                size = sum(len(name) + len(value or b"") for name, value in record.headers)
                assert size > MOST_HEADERS or letter.headers == record.headers, (letter.headers, record.headers)
                assert letter.attempt == _attempt(record)
                assert letter.error
                assert letter.message
                continue
            transaction = self._decode(record)
            if moving and moving[0].value == record.value and not _is_home(record, transaction):
                move = moving.popleft()
                assert (move.key, move.partition) == (transaction.subject.encode(), _home(transaction))
                continue
            scored = waiting.get(record.partition)
            if scored and scored[0] == transaction:
                scored.popleft()
                self._before.append((record.partition, transaction))
            else:
                assert (record.partition, transaction) in self._before, "neither scored, nor a letter, nor a duplicate"
                duplicates += 1
        assert not by_place
        assert not any(waiting.values())
        assert not moving
        return duplicates


def _home(transaction: Payment) -> int:
    return (murmur2(transaction.subject.encode()) & 0x7FFFFFFF) % PARTITIONS


def _is_home(record: Record, transaction: Payment) -> bool:
    return record.partition == _home(transaction)


def _attempt(record: Record) -> int:
    """The last header that is a count, as a reader of the header's definition would say; 1 where none is."""
    counts = [value for name, value in record.headers if name == ATTEMPT_HEADER and value is not None]
    counts = [value for value in counts if value.strip(b"0123456789") == b"" and 0 < len(value) <= MOST_DIGITS]
    return int(counts[-1]) if counts else 1


def restored_is_the_same(seed: int, n: int, probe: int) -> None:
    """``n`` records taken as they come, and read again as a restart does it: what ``probe`` more give must be the same.

    Raises AssertionError."""
    with tempfile.TemporaryDirectory() as folder:
        _restored(seed, n, probe, Path(folder))


def _restored(seed: int, n: int, probe: int, folder: Path) -> None:
    log = Log()
    live, again = (Scorer(Settings(), NoChampion(), Reader(NoStore()), homes=HOMES, wire=schemas(folder)) for _ in range(2))
    seen = 0
    for batch, output in with_moves(live, records(seed, n + probe, log), log):
        if seen < n:
            # In other batches, as a replay cuts them.
            for at in range(0, len(batch), 77):
                again.restore([negative(record, 0) for record in batch[at : at + 77]])
        else:
            outputs = [[_lasting(item) for item in made.produce] for made in (output, again.process(batch))]
            assert outputs[0] == outputs[1]
        seen += len(batch)


def _lasting(item: Produce) -> object:
    """A record that was made without what depends on the time of its making."""
    if item.topic != topics.SCORES:
        return item
    score = _score(item.value)
    return item.partition, score.event, score.features, score.decision, score.late, score.cold


def peak_mib() -> float:
    """The most memory that this process has held."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
