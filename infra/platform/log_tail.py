"""The end of a log file."""

from __future__ import annotations

from pathlib import Path

_BLOCK = 65_536


def last_lines(path: Path, count: int) -> list[str]:
    """Return up to ``count`` last lines (of the last 64 KiB), without line ends; empty where there is no file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _BLOCK))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-count:] if count else []


class Follower:
    """The lines that are written to a log from now on, across its rotation (the file shrinks or is another one)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode, self._offset = self._now()
        self._rest = b""

    def new_lines(self) -> list[str]:
        """Return the whole lines written since the last call; an unfinished one waits for its end."""
        inode, size = self._now()
        if inode != self._inode or size < self._offset:
            self._inode, self._offset, self._rest = inode, 0, b""
        if size == self._offset:
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = self._rest + file.read()
            self._offset = file.tell()
        *whole, self._rest = data.split(b"\n")
        return [line.decode(errors="replace") for line in whole]

    def _now(self) -> tuple[int, int]:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return 0, 0
        return status.st_ino, status.st_size
