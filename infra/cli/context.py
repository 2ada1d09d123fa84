"""The folder that this command works on, chosen once by ``driftloop --dir``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from features.base.settings import Settings

VARIABLE = "DRIFTLOOP_DIR"


def choose(folder: Path) -> None:
    """Work on the platform in ``folder``; children of this process do, too."""
    os.environ[VARIABLE] = str(folder.absolute())


def settings() -> Settings:
    """The settings of the chosen folder; the environment has the secrets that only it can carry. Raises SettingsError."""
    from features.base.settings import load
    from infra.security import secrets

    found = load()
    secrets.export(found)
    return found
