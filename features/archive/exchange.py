"""Two folders change places in one step: Linux's renameat2 with RENAME_EXCHANGE, which Python does not offer."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

from features.base.files import sync

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
#: What file systems without it answer.
_NOT_HERE = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EXDEV})


class ExchangeUnsupported(OSError):
    """This system or file system cannot let two folders change places; the files stay as they are."""


def exchange(folder: Path, other: Path) -> None:
    """Let ``folder`` and ``other``, on one file system, change places. Whoever opens either finds one or the other, never
    nothing.

    Raises ExchangeUnsupported where that cannot be done (macOS, some network file systems), OSError for what else goes wrong.
    """
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if renameat2 is None:
        raise ExchangeUnsupported(f"{folder}: this system has no renameat2, so small files are left as they are")
    if renameat2(_AT_FDCWD, os.fsencode(folder), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE):
        code = ctypes.get_errno()
        if code in _NOT_HERE:
            raise ExchangeUnsupported(f"{folder}: its file system cannot exchange folders, so small files are left as they are")
        raise OSError(code, os.strerror(code), str(folder))
    for parent in {folder.parent, other.parent}:
        sync(parent)
