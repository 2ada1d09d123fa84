"""Events and due labels of one batch as one sequence in event time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.publish.batch import Batch, Events, Labels, concat_labels


@dataclass(frozen=True)
class Chunk:
    """A stretch of the merged sequence: ``is_label`` [n] says which of the two columns the next row is taken from."""

    times: NDArray[np.int64]
    is_label: NDArray[np.bool_]
    transactions: Events
    labels: Labels


@dataclass(frozen=True)
class Segment:
    """Chunks that lie before ``end_ms``, which is a boundary of the lockstep or, where ``boundary`` is false, the batch's end."""

    end_ms: int
    boundary: bool
    chunks: Iterator[Chunk]


def due(pending: Labels, batch: Batch) -> tuple[Labels, Labels]:
    """Return the labels to publish within the batch's time, and those to keep for later, both in order of label time.

    Labels that were due before the batch begins come first in it: a source may leave gaps.
    """
    joined = concat_labels([pending, batch.labels])
    cut = int(np.searchsorted(joined.label_time_ms, batch.end_ms))
    return joined.take(slice(0, cut)), joined.take(slice(cut, None))


def segments(batch: Batch, labels: Labels, boundary_ms: int, chunk_rows: int) -> Iterator[Segment]:
    """Yield the batch and the ``labels`` due in it, cut at the multiples of ``boundary_ms`` in (start, end].

    At equal times a transaction comes before a label.
    """
    start = (batch.start_ms // boundary_ms + 1) * boundary_ms
    ends = list(range(start, batch.end_ms + 1, boundary_ms))
    if not ends or ends[-1] != batch.end_ms:
        ends.append(batch.end_ms)
    event_cuts = np.searchsorted(batch.transactions.event_time_ms, ends)
    label_cuts = np.searchsorted(labels.label_time_ms, ends)
    t0 = l0 = 0
    for end, t1, l1 in zip(ends, event_cuts.tolist(), label_cuts.tolist(), strict=True):
        part = _chunks(batch.transactions.take(slice(t0, t1)), labels.take(slice(l0, l1)), chunk_rows)
        yield Segment(end, end % boundary_ms == 0, part)
        t0, l0 = t1, l1


def _chunks(transactions: Events, labels: Labels, chunk_rows: int) -> Iterator[Chunk]:
    times = np.concatenate([transactions.event_time_ms, labels.label_time_ms])
    order = np.argsort(times, kind="stable")
    is_label = order >= len(transactions)
    times = times[order]
    taken = 0
    for first in range(0, len(order), chunk_rows):
        flags = is_label[first : first + chunk_rows]
        t0, l0 = first - taken, taken
        taken += int(flags.sum())
        t1 = first + len(flags) - taken
        part = labels.take(slice(l0, taken))
        yield Chunk(times[first : first + chunk_rows], flags, transactions.take(slice(t0, t1)), part)
