"""Which code can go on with a partition's snapshot: a hash of the sources that say what is taken of its log and what is kept.

What is kept is cards (``features.state_version``), ids and the clock.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from features import state_version
from features.events import Transaction
from features.fingerprint import of_code

_STREAMS = Path(__file__).parent
#: Files, or folders for all of their modules. This file is none of them, so that a move does not change the version.
SOURCES = tuple(
    _STREAMS / name
    for name in (
        "admission.py",
        "admission_copy.py",
        "admission_table.py",
        "codec.py",
        "copied.py",
        "event_clock.py",
        "hashing.py",
        "intake.py",
        "lead.py",
        "limits.py",
        "partition_state.py",
    )
)


@cache
def version(sources: tuple[Path, ...] = SOURCES, of_cards: tuple[Path, ...] = state_version.SOURCES) -> str:
    """The version of the cards' state (16 hexadecimal digits), a dash, and that of the rest (8)."""
    # What is kept of a body is a hash of its JSON, which has the fields in this order.
    fields = f"FIELDS = {Transaction.__struct_encode_fields__!r}"
    return f"{state_version.state_version(of_cards)}-{of_code(sources, fields)[:8]}"
