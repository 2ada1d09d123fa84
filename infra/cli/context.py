"""The folder that this command works on, chosen once by ``driftloop --dir``."""

from __future__ import annotations

import os
import re
import shlex
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from features.base.settings import Settings

VARIABLE = "DRIFTLOOP_DIR"
#: ``features.base.broker_names``, which is made of it as soon as it is loaded.
_PREFIX = "DRIFTLOOP_TOPIC_PREFIX"


#: The arguments of this process's command line, as far as they are known.
_arguments: list[str] = []


def called(arguments: list[str]) -> None:
    """Note the command line that is carried out."""
    _arguments[:] = arguments


def called_with(option: str = "") -> str:
    """Return the same command line with ``option``, to be pasted into a shell. ``--again`` is left out of it."""
    kept = [argument for argument in _arguments if argument != "--again"]
    return shlex.join(["driftloop", *kept, *([] if option in ("", *kept) else [option])])


#: Whether somebody named the folder, by ``--dir`` or in the environment.
_named = False


def by_name(named: bool) -> None:
    """Remember whether somebody named the folder: the default one need not be there for commands that look at no platform."""
    global _named  # noqa: PLW0603 - one command line a process, as the folder itself
    _named = named


def check_named() -> None:
    """Raise PlatformError where somebody named a folder that holds no platform: it is mistyped, whatever the command needs."""
    from infra.platform.folder import needs_platform

    if _named:
        needs_platform(Path(os.environ.get(VARIABLE) or ".driftloop"))


def choose(folder: Path) -> None:
    """Work on the platform in ``folder``; children of this process do, too."""
    os.environ[VARIABLE] = str(folder.absolute())


def choose_names(folder: Path) -> None:
    """Serve the domain and have the prefix that the platform in ``folder`` names, before any module that is made of them is
    loaded; children do, too.

    Raises SettingsError where this process serves another domain already, or has another prefix.
    """
    # Before anything else: settings load the module that keeps the prefix.
    _choose_prefix(folder)
    _choose_domain(folder)


def _choose_prefix(folder: Path) -> None:
    loaded = sys.modules.get("features.base.broker_names")
    given = os.environ.get(_PREFIX) if loaded is None else loaded.PREFIX
    name = _written(folder, "topic_prefix")
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,64}", name or given or ""):
        from features.base.settings import SettingsError

        raise SettingsError(
            f"topic_prefix is {name or given!r}; Kafka takes letters of ASCII, digits, ., _ and -, and here 64 of them"
        )
    if name is None:
        return
    if given is not None and given != name:
        from features.base.settings import SettingsError

        raise SettingsError(
            f"{folder / 'driftloop.toml'}: topic_prefix is {name!r}, and this process has {given!r}; choose another folder with"
            f" --dir, or leave {_PREFIX} out of the environment"
        )
    os.environ[_PREFIX] = name


def _written(folder: Path, name: str) -> str | None:
    """Read a top-level text of the platform's file; None where it has none or cannot be read: who loads the settings says so."""
    try:
        value = tomllib.loads((folder / "driftloop.toml").read_text("utf-8-sig")).get(name)
    except (OSError, ValueError):
        return None
    return value if isinstance(value, str) else None


def _choose_domain(folder: Path) -> None:
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


def settings(made: bool = True) -> Settings:
    """Load the settings of the chosen folder; the environment then has the secrets only it can carry.

    ``made``: there must be a platform; no command looks at an empty folder as if it were one, nor makes it. Raises
    SettingsError, PlatformError where there is none.
    """
    from features.base.settings import load
    from infra.platform.folder import needs_platform
    from infra.security import secrets

    if made:
        needs_platform(Path(os.environ.get(VARIABLE) or ".driftloop"))
    loaded = load()
    secrets.export(loaded)
    return loaded
