"""``driftloop hash``"""

from __future__ import annotations

from typing import Annotated

import typer

from features.base.active import WORDS
from infra.cli import context


def command(
    ids: Annotated[list[str], typer.Argument(help=f"Ids of {WORDS.subjects}, {WORDS.counterparts} or {WORDS.events}.")],
) -> None:
    """Print how log lines and error messages of this platform call an id."""
    from features.base.redaction import hashed

    settings = context.settings()
    for identifier in ids:
        print(hashed(settings, identifier))
