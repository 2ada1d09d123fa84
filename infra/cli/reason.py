"""The reason that a command writes into the history."""

from __future__ import annotations

import typer


def checked(reason: str) -> str:
    """Return the text of ``--reason`` on one line. Raises BadParameter where it is empty, too long for an event, or no text."""
    from features.base.types import TEXT_LENGTH

    line = " ".join(reason.split())
    if not line:
        raise typer.BadParameter("--reason is empty; say why, whoever reads the history later will want to know")
    if len(line) > TEXT_LENGTH:
        raise typer.BadParameter(f"--reason has {len(line)} characters; {TEXT_LENGTH} are taken at most")
    try:
        line.encode()
    except UnicodeEncodeError:
        raise typer.BadParameter("--reason is no text in this console's encoding; write it anew") from None
    return line
