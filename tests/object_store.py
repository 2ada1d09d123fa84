"""A file system as an object store is one: it has no rename, no lock and no append; memory, shared by all that name it.

Importing this registers it as ``strict://``, and as ``weak://`` one that has no conditional put either.
"""

from __future__ import annotations

import threading
from typing import Any, ClassVar, NoReturn

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

_PUTTING = threading.Lock()


class StrictFileSystem(MemoryFileSystem):
    """Raises where somebody renames, moves, copies in place of that, or opens anything else than to read or to put."""

    protocol = "strict"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    cachable = False

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **more: Any) -> None:
        with _PUTTING:
            super().pipe_file(path, value, mode, **more)

    def mv(self, *_: object, **__: object) -> NoReturn:
        raise AssertionError("an object store has no rename")

    rename = move = mv_file = mv

    def _open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        assert mode in ("rb", "wb", "xb"), f"an object store has no {mode}"
        return super()._open(path, mode, **more)


class WeakFileSystem(StrictFileSystem):
    """Without a conditional put of its own."""

    protocol = "weak"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    pipe_file = fsspec.AbstractFileSystem.pipe_file


for kind in (StrictFileSystem, WeakFileSystem):
    fsspec.register_implementation(kind.protocol, kind, clobber=True)
