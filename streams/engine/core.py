"""What a processor is: a pure core. Batch in, batch out; Kafka is the shell's business (``streams.engine.shell``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import msgspec
from numpy.typing import NDArray

from features.base.events import DeadLetter
from features.base.redaction import without_values
from streams import topics
from streams.kafka.records import Partition, Produce, Record


@dataclass(slots=True)
class Output:
    """What a batch gives: records for Kafka, and rows for the processor's sink (Feast, Parquet), if it has one.

    ``newest_ms``: the newest event time in the batch, where the core knows it. ``counted``: called once it is committed, for
    metrics: a batch that is taken again, or read again to restore a state, must not count twice.
    """

    produce: list[Produce] = field(default_factory=list)
    rows: list[Any] = field(default_factory=list)
    newest_ms: int | None = None
    counted: list[Callable[[], None]] = field(default_factory=list)


class Core(Protocol):
    """A processor without Kafka.

    ``inputs`` are the topics it reads. ``replays`` names those of them whose log, up to the committed offset, gives the state
    back: on assignment the shell feeds these records to ``restore`` before the first ``process``. ``outputs`` are the topics that
    it may write to.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    replays: tuple[str, ...]

    def process(self, records: Sequence[Record]) -> Output:
        """Take a batch, in offset order per partition, and return what follows from it. Bad records become dead letters."""
        ...

    def restore(self, records: Sequence[Record]) -> None:
        """Take records that were processed before a restart: the state changes, nothing is emitted."""
        ...

    def forget(self, partitions: Sequence[Partition]) -> None:
        """Drop what was kept of these (topic, partition) pairs: they went to another member."""
        ...


#: Waits so many seconds, while the group hears from this member. It may raise to end the batch in hand; that goes through.
Wait = Callable[[float], None]


@runtime_checkable
class Waits(Protocol):
    """A core that may wait within a batch for a service that is away: the shell that takes it over says how."""

    def wait_with(self, wait: Wait) -> None:
        """Wait by ``wait`` from now on."""
        ...


@runtime_checkable
class SaysWhy(Protocol):
    """A core that says what it waits for."""

    @property
    def waits_for(self) -> str:
        """Return it in words; empty where it has no name, or nothing is waited for."""
        ...


class Copy(Protocol):
    """A copy of one partition's state as of the moment it was begun, taken in bounded steps between batches.

    The begin is bounded too: it copies next to nothing, and what a batch is about to change is noted first.
    """

    @property
    def done(self) -> bool: ...

    def step(self) -> None:
        """Copy a little more; takes some milliseconds at most."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the whole copy, once it is done; may be called in another thread."""
        ...


@runtime_checkable
class Snapshotted(Protocol):
    """A core whose state is snapshotted (``streams.engine.snapshot_schedule``): it replays from the newest snapshot instead of
    from the beginning.

    ``state_version`` names the code that can go on with a snapshot. The state is that of the one topic in ``replays``.
    """

    @property
    def state_version(self) -> str: ...

    def copy(self, partition: int) -> Copy:
        """Begin a copy; a second one of the same partition replaces it."""
        ...

    def load(self, partition: int, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over a partition's state from a snapshot."""
        ...

    def begins_late(self, partition: int) -> None:
        """Note that history is missing: what comes first now is not the partition's first record, nor the one after the
        snapshot."""
        ...


class Sink(Protocol):
    """Where rows go. Called before the offsets are committed, so writing the same rows again must do no harm.

    ``unavailable``: what ``write`` raises where the store is away; the shell waits and tries again.
    """

    unavailable: tuple[type[Exception], ...]

    def write(self, rows: list[Any]) -> None: ...


#: Most bytes of a value, a key or all headers that a dead letter carries; base64 adds a third, and the ``dlq`` topic takes 4 MiB.
MOST_VALUE, MOST_KEY, MOST_HEADERS = 2_000_000, 10_000, 100_000
#: Most bytes of the whole letter: as JSON, a header of one byte may take twenty.
MOST_LETTER = topics.DLQ_MAX_BYTES - 100_000

#: How often a record has been delivered, as text; set where it is sent again (``driftloop dlq replay``).
ATTEMPT_HEADER = "driftloop-attempt"

#: Digits of a number in a header: more are nobody's count or time, and Python refuses to read thousands of them.
MOST_DIGITS = 18

_encode = msgspec.json.Encoder().encode


def dead_letter(record: Record, processor: str, error: Exception) -> Produce:
    """Wrap the record as it came for ``dlq``, with the reason why ``processor`` could not take it.

    An ``attempt`` header (set by ``driftloop dlq replay``) is carried over into the count.
    """
    attempt = 1
    for name, value in record.headers:
        if name == ATTEMPT_HEADER and value is not None and value.isdigit() and len(value) <= MOST_DIGITS:
            attempt = int(value)
    message = without_values(error)[:10_000]
    if len(record.value or b"") > MOST_VALUE:
        message += f" (the first {MOST_VALUE} of its {len(record.value or b'')} bytes are kept here)"
    key = record.key[:MOST_KEY] if record.key is not None else None
    size = sum(len(name) + len(value or b"") for name, value in record.headers)
    letter = DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        processor=processor,
        error=type(error).__name__,
        message=message,
        value=record.value[:MOST_VALUE] if record.value is not None else None,
        key=key,
        headers=record.headers if size <= MOST_HEADERS else [],
        attempt=attempt,
        truncated=len(record.value or b"") > MOST_VALUE or len(record.key or b"") > MOST_KEY or size > MOST_HEADERS,
    )
    data = _encode(letter)
    if len(data) > MOST_LETTER:
        letter.headers, letter.truncated = [], True
        data = _encode(letter)
    return Produce(topics.DLQ, key, data, error=letter.error)
