"""The end of a log file."""

from __future__ import annotations

from pathlib import Path

_BLOCK = 65_536


def last_lines(path: Path, count: int) -> list[str]:
    """Up to ``count`` last lines (of the last 64 KiB), without line ends; empty where there is no file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _BLOCK))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-count:] if count else []
