"""What a platform's folder was made for, written down at its first ``up``: its domain, its prefix at the broker, and the unit
that measures are counted in.

``driftloop.toml`` is anybody's to edit, and archive, models and offsets of one domain must not be read as those of another.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from features.base.files import write

NAME = "identity.json"


class Identity(msgspec.Struct, frozen=True, omit_defaults=True):
    """Never changes in the life of a folder. ``reference``: ``units.reference``; empty in a folder that was made before there was
    such a setting, until the next ``up``."""

    domain: str
    topic_prefix: str = ""
    reference: str = ""


def read(folder: Path) -> Identity | None:
    """Read what is written; None before the first ``up``.

    Raises OSError, msgspec.MsgspecError where it cannot be read: that is no sign that nothing was written.
    """
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=Identity)
    except (FileNotFoundError, NotADirectoryError):
        return None


def keep(folder: Path, identity: Identity) -> None:
    """Write it down, once; what an older version did not know is added."""
    made = read(folder)
    if made is None or (not made.reference and identity.reference):
        folder.mkdir(parents=True, exist_ok=True)
        kept = identity if made is None else msgspec.structs.replace(made, reference=identity.reference)
        write(folder / NAME, msgspec.json.encode(kept))


def refusal(folder: Path, asked: Identity) -> str:
    """Tell why the folder cannot serve what is asked, with the way out; empty where it can."""
    try:
        made = read(folder)
    except (OSError, msgspec.MsgspecError) as error:
        return f"{folder / NAME} cannot be read ({error}), and says what the folder was made for; restore it or mend its rights"
    if made is None:
        return ""
    settings = {"domain": "domain", "topic_prefix": "topic_prefix"} | ({"reference": "units.reference"} if made.reference else {})
    for field, name in settings.items():
        before, after = getattr(made, field), getattr(asked, field)
        if before != after:
            return (
                f"{folder} was made with {name} = {before!r}, and holds its archive and models; {name} is {after!r} now:"
                " take it back, or choose another folder with --dir"
            )
    return ""
