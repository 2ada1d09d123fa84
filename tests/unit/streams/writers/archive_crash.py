"""An archive that crashes: any step that changes the disk may be the last one, before or after it is done."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from features.archive import exchange
from features.base import files


class Crashed(BaseException):
    """As kill -9: nobody catches it."""


class Crashes:
    """Ends the process at the n-th step from now, before it (even n) or after it (odd n)."""

    def __init__(self) -> None:
        self._left: int | None = None

    def after(self, steps: int | None) -> None:
        self._left = steps

    def step(self, do: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **kwargs: Any) -> Any:
            if self._left is None:
                return do(*args, **kwargs)
            self._left -= 1
            if self._left == 0:
                raise Crashed
            done = do(*args, **kwargs)
            self._left -= 1
            if self._left == 0:
                raise Crashed
            return done

        return stepped


def _half_removed(remove: Callable[..., Any], crashes: Crashes) -> Callable[..., Any]:
    """A folder is removed file by file, and each of them may be the last."""
    unlink = crashes.step(Path.unlink)

    def removed(folder: Path, ignore_errors: bool = False) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                unlink(path)
        remove(folder, ignore_errors=ignore_errors)

    return removed


@contextmanager
def crashing() -> Iterator[Crashes]:
    """Crashes at renames, links, exchanges, removals and syncs."""
    crashes = Crashes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", crashes.step(Path.replace))
        patch.setattr(os, "link", crashes.step(os.link))
        patch.setattr(os, "fsync", crashes.step(os.fsync))
        # A killed process clears nothing up.
        patch.setattr(files.Draft, "drop", lambda draft: draft.file.close())
        patch.setattr(exchange, "exchange", crashes.step(exchange.exchange))
        patch.setattr(shutil, "rmtree", _half_removed(shutil.rmtree, crashes))
        yield crashes
