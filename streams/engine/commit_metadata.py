"""What a group keeps beside each committed offset, in its metadata: no producer writes there, and each commit carries it on.

It outlives the code that wrote it. Fields are added, with a default, and never change their meaning; likewise a limit that is new
stands behind the others, with the value as default that says how it was before there was a setting.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from streams.engine.settings_history import History, Since


class Note(NamedTuple):
    """Of one partition. ``copied``: how many of its first records are copies (``streams.engine.repartition_header``); ``limits``:
    by what it was processed (``streams.engine.settings_history``)."""

    copied: int = 0
    limits: History = ()

    def text(self) -> str:
        """Return it as metadata. The inverse is ``read``."""
        fields = {name: value for name, value in (("copied", self.copied), ("limits", self.limits)) if value}
        return msgspec.json.encode(fields).decode() if fields else ""


class _Note(msgspec.Struct):
    copied: int = 0
    limits: tuple[Since, ...] = ()


def read(metadata: str | None) -> Note:
    """Read what the metadata says; nothing where it is another tool's: to Kafka it is free text."""
    try:
        note = msgspec.json.decode(metadata or "{}", type=_Note)
    except msgspec.MsgspecError:
        return Note()
    return Note(max(0, note.copied), note.limits)
