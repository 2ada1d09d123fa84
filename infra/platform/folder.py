"""A platform's folder: whether there is one, and what its path must not hold."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

from features.base import identity
from features.base.settings import FILE_NAME
from infra.errors import PlatformError

#: Settings in the environment that say where a platform's broker is: a process of it may run in a folder that holds nothing yet.
_PLACES = ("DRIFTLOOP_BOOTSTRAP_SERVERS", "DRIFTLOOP_PORTS")
#: How much of two names must be the same for the one to be meant by the other, from 0 to 1.
_ALIKE = 0.75


def holds_platform(folder: Path) -> bool:
    """Tell whether somebody has brought up a platform in ``folder``, or written settings for one."""
    return any((folder / name).is_file() for name in (FILE_NAME, identity.NAME))


def needs_platform(folder: Path, environ: Iterable[str] = os.environ) -> None:
    """Raise PlatformError where ``folder`` holds no platform and the environment names none; make nothing."""
    folder = folder.absolute()
    if holds_platform(folder) or any(name.upper().startswith(_PLACES) for name in environ):
        return
    near = nearby(folder)
    meant = f" (did you mean {near}?)" if near is not None else ""
    raise PlatformError(
        f"there is no platform in {folder}: {_state(folder)}{meant}; choose its folder with --dir or DRIFTLOOP_DIR, or make it"
        " with driftloop up"
    )


def _state(folder: Path) -> str:
    if not folder.exists():
        return "there is no such folder"
    return f"it holds no {FILE_NAME}" if folder.is_dir() else "it is no folder"


def nearby(folder: Path) -> Path | None:
    """Return the platform beside ``folder`` whose name is most like it; None where none is."""
    try:
        names = [place.name for place in folder.parent.iterdir() if place != folder and holds_platform(place)]
    except OSError:
        return None
    match = difflib.get_close_matches(folder.name, names, 1, _ALIKE)
    return folder.parent / match[0] if match else None


def refusal(folder: Path) -> str:
    """Tell why a platform cannot be in ``folder``, with the way out; empty where it can."""
    path = str(folder)
    takers = {"%": "supervisor", " ;": "supervisor", ",": "Kafka", "\n": "supervisor", "\r": "supervisor"}
    for text, taker in takers.items():
        if text in path:
            return f"the folder {path!r} has {text!r} in its path, which {taker} cannot take; choose another one with --dir"
    try:
        path.encode()
    except UnicodeEncodeError:
        return f"the folder {path!r} has a name that is no UTF-8, which Java cannot take; choose another one with --dir"
    return ""
