"""What a platform's folder was made for, written down at its first ``up``: its domain, and its prefix at the broker.

``driftloop.toml`` is anybody's to edit, and archive, models and offsets of one domain must not be read as those of another.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from features.base.files import write

NAME = "identity.json"


class Identity(msgspec.Struct, frozen=True):
    """Never changes in the life of a folder."""

    domain: str
    topic_prefix: str = ""


def read(folder: Path) -> Identity | None:
    """Read what is written; None before the first ``up``.

    Raises OSError, msgspec.MsgspecError where it cannot be read: that is no sign that nothing was written.
    """
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=Identity)
    except (FileNotFoundError, NotADirectoryError):
        return None


def keep(folder: Path, identity: Identity) -> None:
    """Write it down, once."""
    if read(folder) is None:
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / NAME, msgspec.json.encode(identity))


def refusal(folder: Path, asked: Identity) -> str:
    """Tell why the folder cannot serve what is asked, with the way out; empty where it can."""
    try:
        made = read(folder)
    except (OSError, msgspec.MsgspecError) as error:
        return f"{folder / NAME} cannot be read ({error}), and says what the folder was made for; restore it or mend its rights"
    if made is None or made == asked:
        return ""
    name = "domain" if made.domain != asked.domain else "topic_prefix"
    before, current = getattr(made, name), getattr(asked, name)
    return (
        f"{folder} was made with {name} = {before!r}, and holds its archive and models; {name} is {current!r} now:"
        " take it back, or choose another folder with --dir"
    )
