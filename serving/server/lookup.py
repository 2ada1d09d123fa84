"""Vectors by subject id, from Feast's online store, for callers that know only whom they ask about."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from features.base.active import WORDS
from features.base.redaction import hashed
from features.base.settings import Settings
from serving.server.errors import FeaturesUnavailable, InvalidVectors, TooLarge, UnknownSubject, WrongSchema

if TYPE_CHECKING:
    from features.online.store import Activity

MAX_IDS = 1_000


class ActivityReader(Protocol):
    """Reads the vector of each subject's latest transaction, in the order asked; None for a subject without one."""

    def activity(self, subjects: Sequence[str]) -> list[Activity | None]: ...


class Lookup:
    """Reads vectors by id. The connection is made at the first call: a server without Redis serves vectors all the same."""

    def __init__(self, settings: Settings, reader: ActivityReader | None = None) -> None:
        self._settings = settings
        self._reader = reader
        self._lock = threading.Lock()

    def vectors(self, ids: object, schema: str) -> NDArray[np.float32]:
        """Return float32 [n, k] made under ``schema``, in the order of ``ids``. Blocks on the online store.

        Raises InvalidVectors, TooLarge, FeaturesUnavailable, and UnknownSubject and WrongSchema, which name the subjects by their
        place in ``ids``, from 1 on, and their hashes (``features.base.redaction``).
        """
        subjects = _checked(ids)
        with self._lock:
            try:
                activities = self._open().activity(subjects)
            except Exception as error:
                message = f"the online store does not answer ({error}); try again, or send vectors as 'instances'"
                raise FeaturesUnavailable(message) from error
        unknown = [self._place(subjects, i) for i, activity in enumerate(activities) if activity is None]
        if unknown:
            raise UnknownSubject(
                f"no {WORDS.event} of {WORDS.subject} number {_some(unknown)} is known; publish one, or send 'instances'"
            )
        known = [activity for activity in activities if activity is not None]
        old = [self._place(subjects, i) for i, activity in enumerate(known) if activity.schema != schema]
        if old:
            message = f"the stored vector of {WORDS.subject} number {_some(old)} was made under another schema than {schema}"
            raise WrongSchema(
                f"{message}; it is replaced with the {WORDS.subject}'s next {WORDS.event}, or send vectors as 'instances'"
            )
        return np.stack([activity.vector for activity in known]).astype(np.float32, copy=False)

    def _place(self, subjects: list[str], i: int) -> str:
        return f"{i + 1} ({hashed(self._settings, subjects[i])})"

    def _open(self) -> ActivityReader:
        if self._reader is None:
            from features.online.store import ProfileReader

            self._reader = ProfileReader(self._settings)
        return self._reader


def _checked(ids: object) -> list[str]:
    if not isinstance(ids, list) or not ids or not all(isinstance(subject, str) and 0 < len(subject) <= 64 for subject in ids):
        raise InvalidVectors(
            f"'user_id' must be {WORDS.a('subject')} id, a text of 1 to 64 characters; 'user_ids' a list of one or more"
        )
    if len(ids) > MAX_IDS:
        raise TooLarge(f"{len(ids)} ids are too many for one call; send at most {MAX_IDS:,} at a time")
    return ids


def _some(subjects: list[str]) -> str:
    more = f" and {len(subjects) - 5} more" if len(subjects) > 5 else ""
    return ", ".join(subjects[:5]) + more
