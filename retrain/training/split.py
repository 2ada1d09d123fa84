"""Which rows are learned from and which are judged."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BUCKETS = 1 << 20


@dataclass(frozen=True)
class Split:
    """Masks, bool [n]. ``train`` and ``holdout`` never overlap; some rows may be in neither."""

    train: NDArray[np.bool_]
    holdout: NDArray[np.bool_]
    holdout_start_ms: int


def subject_hash(subjects: Iterable[str]) -> NDArray[np.uint32]:
    """Return the CRC-32 of each id: stable between processes, unlike ``hash``."""
    return np.fromiter((zlib.crc32(subject.encode()) for subject in subjects), np.uint32)


def in_share(subject: NDArray[np.uint32], share: float, salt: int) -> NDArray[np.bool_]:
    """Choose about ``share`` of the subjects; another ``salt`` chooses others. ``subject`` as of ``subject_hash``, uint32 [n]."""
    mixed = subject.astype(np.uint64) | np.uint64(salt << 32)
    # splitmix64's finaliser: a single multiplication would leave the shares of two salts disjoint or equal.
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    bucket = ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(44)).astype(np.int64)
    return np.asarray(bucket < share * _BUCKETS)


def by_time(
    event_time_ms: NDArray[np.int64],
    subject: NDArray[np.uint32],
    known: NDArray[np.bool_],
    settled_ms: int,
    holdout_share: float,
    holdout_subjects: float,
) -> Split:
    """Judge the newest ``holdout_share`` of settled event time, on ``holdout_subjects`` of the subjects; learn from everything
    else.

    An event is settled when its label has had its time: time <= ``settled_ms``. Younger rows hold the positives that were
    reported early and few of the negative, so a figure measured on them would lie; they are never judged.
    The judged subjects are left out of training from the holdout's start on, its young rows too. As the chosen subjects are
    always the same and later holdouts start later, no champion has learned from what it is judged on either: one that had would
    look better than it is, and keep every successor out.
    Raises ValueError where no row is settled.
    """
    settled = event_time_ms <= settled_ms
    if not settled.any():
        raise ValueError(
            "no event in the window is older than the label delay, so nothing can be judged; wait for labels to mature"
        )
    first = int(event_time_ms[settled].min())
    last = int(event_time_ms[settled].max())
    start = int(last - (last - first) * holdout_share)
    held_out = (event_time_ms > start) & in_share(subject, holdout_subjects, salt=1)
    return Split(train=~held_out, holdout=held_out & settled & known, holdout_start_ms=start)
