"""The state of the transform: each subject's recent transactions, and sums over them.

A subject's history is its rows younger than ``KEEP_MS`` before its newest, and of these the ``MAX_ROWS`` newest. Other rows may
still lie in its segment, but nothing reads them: what a vector holds does not depend on when room was made. So a subject takes at
most ``2 * MAX_ROWS`` rows, however often it pays. How they lie in memory: ``features.history.row_layout`` and
``features.history.pool``.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.history.arrays import COLUMNS, Table, drop_old_of, read_in, write_out
from features.history.arrival import ALONE
from features.history.look import ROOM
from features.history.pool import find_tight, history, move, pack
from features.history.row_layout import CAPACITY, COLUMNS_A_SUBJECT, LENGTH, MULTIPLE, ROW_BYTES, START

#: Slot of no subject: an event that comes too late to be part of its subject's history is looked at here, alone.
_FIRST_SLOT = 1
#: Begins the name of what lies beside a subject. Half of a surrogate pair: no text that can be read or written has it.
APART = "\ud800"
#: Of what is in use, one part in so many is free in a fresh pool and in a fresh table of subjects.
_SPARE = 16


class SubjectState:
    """The histories of all subjects of one partition."""

    def __init__(self) -> None:
        self._slot: dict[str, int] = {}
        #: The subjects by their numbers, beside the dict: a dict cannot be read from the middle.
        self._ids: list[str] = []
        #: How many of them are no subjects but what lies beside one.
        self._apart = 0
        self.history = history(_table(_FIRST_SLOT), _no_slots(_FIRST_SLOT), 0)
        #: Words of the pool that are taken.
        self._used = 0
        #: Room for counting a batch's rows by slot; zeros in between.
        self._coming = np.zeros(_FIRST_SLOT, dtype=np.int32)
        self.reserve(np.zeros(1, dtype=np.int64))

    @property
    def subjects(self) -> int:
        """Return how many subjects there are."""
        return len(self._slot) - self._apart

    @property
    def numbers(self) -> int:
        """Return how many numbers are given away: one a subject, and another where events of other kinds lie beside it."""
        return len(self._slot)

    @property
    def rows(self) -> int:
        """Return how many transactions are held."""
        return int(self.history.subjects[_FIRST_SLOT:, LENGTH].sum())

    @property
    def nbytes(self) -> int:
        """Return how many bytes the arrays hold."""
        return sum(part.nbytes for part in (self.history.subjects, self.history.words, self.history.free, self.history.apart))

    def slots(self, subjects: list[str]) -> NDArray[np.int64]:
        """Return the slot of each subject, int64 [n]; new subjects get the next ones."""
        slot = self._slot
        try:
            numbers = np.fromiter(map(slot.__getitem__, subjects), dtype=np.int64, count=len(subjects))
        except KeyError:
            for subject in subjects:
                slot.setdefault(subject, len(slot) + _FIRST_SLOT)
            self._ids += [*islice(reversed(slot), len(slot) - len(self._ids))][::-1]
            numbers = np.fromiter(map(slot.__getitem__, subjects), dtype=np.int64, count=len(subjects))
        want, have = len(slot) + _FIRST_SLOT, len(self.history.subjects)
        if want > have:
            table = _table(max(want, have + have // _SPARE, 64))
            table[:have] = self.history.subjects
            apart = _no_slots(len(table))
            apart[:have] = self.history.apart
            self.history = self.history._replace(subjects=table, apart=apart)
            self._coming = np.zeros(len(table), dtype=np.int32)
        return numbers

    def slots_apart(self, subjects: list[str]) -> NDArray[np.int64]:
        """Return the slots in which events of other kinds lie, int64 [n], of subjects that have slots; new ones get the next."""
        beside = [APART + subject for subject in subjects]
        known = len(self._slot)
        numbers = self.slots(beside)
        if len(self._slot) > known:
            self._apart += len(self._slot) - known
            self.history.apart[self.slots(subjects)] = numbers
        return numbers

    def reserve_to_look(self) -> None:
        """Make room to look at an event that leaves no row (``features.history.look``)."""
        if self.history.subjects[ALONE, CAPACITY] < ROOM:
            self.history.subjects[ALONE, LENGTH] = 0
            self._move(np.array([ALONE], dtype=np.int64), np.array([ROOM], dtype=np.int64))

    def reserve(self, slots: NDArray[np.int64]) -> None:
        """Make room for one more row per entry of ``slots``, or as many as a subject may keep."""
        tight, wanted = np.empty(len(slots), dtype=np.int64), np.empty(len(slots), dtype=np.int64)
        n = find_tight(self.history, slots, self._coming, tight, wanted)
        self._move(tight[:n], wanted[:n])

    def _move(self, tight: NDArray[np.int64], wanted: NDArray[np.int64]) -> None:
        done = 0
        while done < len(tight):
            done, self._used = move(self.history, tight, wanted, done, self._used)
            if done < len(tight):
                self._pack(tight[done:], wanted[done:])
                done = len(tight)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything as arrays without holes: ``subjects`` (ids as UTF-8, one after the other), ``subject_ends`` [c],
        ``lengths`` [c], and the columns COLUMNS [rows]. Equal histories give equal arrays, whatever their batches were. What lies
        beside a subject (APART) comes as a subject of its own.
        """
        ids = sorted(self._slot)
        return {**named(ids), **self.part(self.known(ids))}

    def known(self, subjects: Iterable[str]) -> NDArray[np.int64]:
        """Return the numbers of those of ``subjects`` that are here, int64: from 0 on, in the order in which they first came."""
        numbers = (self._slot.get(subject) for subject in subjects)
        return np.array([slot for slot in numbers if slot is not None], dtype=np.int64) - _FIRST_SLOT

    def beside(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers of what lies beside the subjects with these numbers, int64, where anything does."""
        slots = self.history.apart[numbers + _FIRST_SLOT].astype(np.int64)
        return slots[slots > 0] - _FIRST_SLOT

    def ids(self, begin: int = 0, end: int | None = None) -> list[str]:
        """Return the subjects by their numbers, from ``begin`` up to ``end``."""
        return self._ids[begin:end]

    def part(self, numbers: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Return the histories of the subjects with these numbers, as copies: ``lengths`` [len(numbers)] and the columns COLUMNS
        [rows]."""
        slots = numbers + _FIRST_SLOT
        drop_old_of(self.history, slots)
        lengths = self.history.subjects[slots, LENGTH]
        columns = {name: np.empty(int(lengths.sum()), dtype=kind) for name, kind in COLUMNS.items()}
        write_out(self.history, slots, Table(**columns))
        return {"lengths": lengths, **columns}

    @classmethod
    def from_arrays(cls, *parts: dict[str, NDArray[Any]]) -> SubjectState:
        """Make a state of ``arrays``; several parts are merged by subject. Raises ValueError where two hold the same subject."""
        state = cls()
        ids = [subject for part in parts for subject in _ids(part["subjects"], part["subject_ends"])]
        if len(set(ids)) != len(ids):
            raise ValueError("two states hold the same subject; merge states of different subjects only")
        if not ids:
            return state
        lengths = np.concatenate([part["lengths"] for part in parts])
        state.slots(ids)
        subjects, end = state.history.subjects, _FIRST_SLOT + len(ids)
        room = -(-lengths // MULTIPLE) * MULTIPLE
        subjects[_FIRST_SLOT:end, LENGTH] = lengths
        subjects[_FIRST_SLOT:end, CAPACITY] = room
        subjects[:end, START] = _words(np.cumsum(subjects[:end, CAPACITY]) - subjects[:end, CAPACITY])
        state._used = _words(int(subjects[:end, CAPACITY].sum()))
        apart = _no_slots(len(subjects))
        for subject, slot in state._slot.items():
            if subject.startswith(APART):
                apart[state._slot[subject.removeprefix(APART)]] = slot
                state._apart += 1
        state.history = history(subjects, apart, state._used)
        columns = {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS}
        read_in(state.history, _FIRST_SLOT, Table(**columns))
        return state

    def _pack(self, tight: NDArray[np.int64], wanted: NDArray[np.int64]) -> None:
        """Copy the segments into a fresh pool with some room to spare, those of ``tight`` into ``wanted`` rows each."""
        subjects = self.history.subjects.copy()
        subjects[tight, CAPACITY] = wanted
        words = _words(int(subjects[:, CAPACITY].sum()))
        packed = history(subjects, self.history.apart, words + words // _SPARE)
        self._used = pack(self.history, packed)
        self.history = packed


def named(ids: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Return subject ids as arrays: ``subjects``, UTF-8, one after the other, and ``subject_ends`` [c]."""
    data = [subject.encode("utf-8", "surrogatepass") for subject in ids]
    return {
        "subjects": np.frombuffer(b"".join(data), dtype=np.uint8),
        "subject_ends": np.cumsum([len(d) for d in data], dtype=np.int64),
    }


def _words(rows: Any) -> Any:
    return rows * ROW_BYTES // 8


def _table(slots: int) -> NDArray[np.int64]:
    return np.zeros((slots, COLUMNS_A_SUBJECT), dtype=np.int64)


def _no_slots(slots: int) -> NDArray[np.int32]:
    return np.zeros(slots, dtype=np.int32)


def _ids(data: NDArray[np.uint8], ends: NDArray[np.int64]) -> Iterable[str]:
    text, begin = data.tobytes(), 0
    for end in ends.tolist():
        yield text[begin:end].decode("utf-8", "surrogatepass")
        begin = end
