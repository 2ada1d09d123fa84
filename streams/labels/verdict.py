"""Decide which of an event's labels counts: the newest by label time, whoever says it and in whatever order they come.

| the label is | the verdict |
| --- | --- |
| newer than all before it, and says otherwise | turns |
| newer, and says the same | stands, as of the new time |
| of the same time, and says otherwise | positive stands: a missed positive costs more than a look at a negative |
| older, or the same once more | stands |

Silence is older than any label, and says negative. So the verdict after some labels does not hang on their order; ``revision``,
how often it turned, follows from the log of the labels alone, whenever scores came and events matured.
"""

from __future__ import annotations

import msgspec

from features.base.events import Label


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What an event is held to be. ``label_ms``: the newest label's time, -1 while nobody has labelled it. ``revision``: how
    often it turned, beginning with negative; so it is odd while it says positive."""

    positive: bool = False
    label_ms: int = -1
    revision: int = 0


SILENCE = Verdict()


def after(verdict: Verdict, label: Label, corrects: bool = True) -> Verdict:
    """Return the verdict after one more label; the same object where the label is not newer.

    ``corrects``: False by the rule until 2026-11-30, when the first label stood and only a positive one could correct it.
    """
    if corrects or verdict.label_ms < 0:
        newer = (label.label_time_ms, label.positive) > (verdict.label_ms, verdict.positive)
    else:
        newer = label.positive and not verdict.positive
    if not newer:
        return verdict
    return Verdict(label.positive, label.label_time_ms, verdict.revision + (label.positive != verdict.positive))


def kind(before: Verdict, label: Label) -> str:
    """Name what one more label does to a verdict, for the metrics: ``withdrawn`` or ``positive`` where it turns, ``confirmed``
    where it is newer and says the same, ``repeated``, or ``older``."""
    made = after(before, label)
    if made is before:
        return "repeated" if (label.label_time_ms, label.positive) == (before.label_ms, before.positive) else "older"
    if made.positive == before.positive:
        return "confirmed"
    return "positive" if made.positive else "withdrawn"
