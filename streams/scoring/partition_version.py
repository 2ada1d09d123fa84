"""Which code can go on with a partition's snapshot: a hash of the sources that say what is taken of its log and what is kept.

What is kept is subjects (``features.history.version``), ids and the clock.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from features.base.events import Event
from features.base.fingerprint import of_code
from features.base.rooms import PARTITION
from features.history.version import SOURCES, state_version


@cache
def version(sources: tuple[Path, ...] = PARTITION, of_subjects: tuple[Path, ...] = SOURCES) -> str:
    """Return the version of the subjects' state (16 hexadecimal digits), a dash, and that of the rest (8)."""
    # What is kept of a body is a hash of its JSON, which has the fields in this order.
    fields = f"FIELDS = {Event.__struct_encode_fields__!r}"
    return f"{state_version(of_subjects)}-{of_code(sources, fields)[:8]}"
