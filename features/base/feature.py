"""One column of the vector, as a domain declares it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: Which view a value comes from: computed in the stream (of the event itself, of the subject's history), or read from Feast as of
#: the event (the subject's profile, the counterpart's known outcomes).
Source = Literal["event", "history", "profile", "counterpart"]
#: What the stream's own state gives.
STREAM: tuple[Source, ...] = ("event", "history")


@dataclass(frozen=True)
class Feature:
    """One column, float32. ``missing`` stands for an unknown value, ``when_missing`` says when that is."""

    name: str
    source: Source
    unit: str
    meaning: str
    formula: str
    missing: float = 0.0
    when_missing: str = ""
    window: str = ""
