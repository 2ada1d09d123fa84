"""Values of settings that stand for what is elsewhere, so that no secret need be in a file of settings: ``file:PATH`` for the
content of a file, relative to the platform's folder, ``env:NAME`` for an environment variable."""

from __future__ import annotations

import os
from pathlib import Path

from features.base.settings import Settings, SettingsError


def resolve(settings: Settings, field: str, value: str, who: str) -> str:
    """Return what ``value`` stands for, itself where it is neither. ``who`` needs it, for messages.

    Raises SettingsError, naming the ``field``, where the file or the variable is not there.
    """
    kind, _, where = value.partition(":")
    if kind == "file" and where:
        path = settings.dir / Path(where)
        try:
            return path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise SettingsError(f"{field}: {path} cannot be read ({why}); {who} needs it, put the secret there") from error
    if kind == "env" and where:
        if where not in os.environ:
            raise SettingsError(f"{field} is {value}, and the environment lacks {where}; set it")
        return os.environ[where]
    return value
