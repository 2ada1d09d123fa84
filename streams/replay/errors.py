"""What a file that cannot be replayed raises."""

from __future__ import annotations


class ReplayError(ValueError):
    """The file cannot be replayed; the message names the column and the way out."""
