"""The folder that this command works on, chosen once by ``driftloop --dir``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from features.base.settings import Settings

VARIABLE = "DRIFTLOOP_DIR"


def choose(folder: Path) -> None:
    """Work on the platform in ``folder``; children of this process do, too."""
    os.environ[VARIABLE] = str(folder.absolute())


def choose_domain(folder: Path) -> None:
    """Serve the domain that the platform in ``folder`` names, before any module of a domain is loaded; children do, too.

    Raises SettingsError where this process serves another one already.
    """
    from features.base.domain_name import DOMAIN_VARIABLE
    from features.base.settings import SettingsError, domain_in

    name = domain_in(folder)
    if name is None:
        return
    serving = os.environ.get(DOMAIN_VARIABLE)
    active = sys.modules.get("features.base.active")
    if serving is None and active is not None:
        serving = active.DEFAULT
    if serving is not None and serving != name:
        raise SettingsError(
            f"{folder / 'driftloop.toml'}: domain is {name!r}, and this process serves {serving!r}; choose another folder with"
            f" --dir, or leave {DOMAIN_VARIABLE} out of the environment"
        )
    os.environ[DOMAIN_VARIABLE] = name


def settings() -> Settings:
    """The settings of the chosen folder; the environment has the secrets that only it can carry. Raises SettingsError."""
    from features.base.settings import load
    from infra.security import secrets

    found = load()
    secrets.export(found)
    return found
