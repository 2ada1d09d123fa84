"""Python's garbage collector in a process that must answer soon."""

from __future__ import annotations

import gc

#: Containers made and not freed before the garbage collector looks for cycles. What comes with a batch or a request is freed by
#: its counts, and Python's 700 would have it walk through a batch many times over.
_CONTAINERS = 100_000


def spare_collections() -> None:
    """Keep what has been imported: a full collection need not walk through it, with a batch waiting."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_CONTAINERS, 10, 10)
