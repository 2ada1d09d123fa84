"""How the inspecting commands speak: tables for people, JSON for programs, times in UTC."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from features.base.active import DOMAIN, WORDS
from features.base.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

#: Wide enough for every table of ours: piped into a file, rich would else break the lines at 80.
_PIPE_WIDTH = 200
#: Below this the cells of a table break within words.
_LEAST_WIDTH = 80


def when(time_ms: int | None) -> str:
    """Return epoch milliseconds as ``2026-01-31 13:45:00`` (UTC); a dash for None and 0."""
    if not time_ms:
        return "-"
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def figure(value: float | None, digits: int = 3) -> str:
    """Return a number with ``digits`` decimals; a dash for None."""
    return "-" if value is None else f"{value:.{digits}f}"


def measure(value: int | None, unit: str | None) -> str:
    """Return a measure in the unit that the event names, with its own decimal places: ``12.50 EUR``, ``5,000 JPY``; in
    the domain's where it names none."""
    if value is None:
        return "-"
    if not unit:
        return f"{value / DOMAIN.parameters.unit:,.2f} {WORDS.unit}"
    if unit not in DOMAIN.unit_places:
        return f"{value:,} of the smallest part of {unit}"
    places = DOMAIN.unit_places[unit]
    whole, rest = divmod(value, 10**places)
    return f"{whole:,}.{rest:0{places}d} {unit}" if places else f"{whole:,} {unit}"


def reference(settings: Settings) -> str:
    """Return the unit of what was counted: means, sums and limits of measures."""
    return settings.units.reference or WORDS.unit


def printable(text: str) -> str:
    """Return ``text`` with control characters written out: what producers send must not steer the screen. Line ends stay."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def console() -> Console:
    """Return a console for tables: as wide as the screen, but no narrower than a table can be read; wide where there is none,
    whatever ``COLUMNS`` and ``TERM`` say."""
    from rich.console import Console

    if not sys.stdout.isatty():
        # With a height, too: else rich goes by TERM.
        return Console(width=_PIPE_WIDTH, height=25, highlight=False)
    own = Console(highlight=False)
    return own if own.width >= _LEAST_WIDTH else Console(width=_LEAST_WIDTH, height=own.height, highlight=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> None:
    """Print a table; ``empty`` where there are no rows. A column whose name begins with ``>`` is set to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    all_rows = list(rows)
    if not all_rows:
        print(empty)
        return
    out = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in columns:
        right = name.startswith(">")
        out.add_column(name.removeprefix(">"), justify="right" if right else "left", overflow="fold")
    for row in all_rows:
        # Text: nor must it be read as rich's markup.
        out.add_row(*(Text(printable(cell)) for cell in row))
    console().print(out)


def document(value: object) -> None:
    """Print one JSON document, indented."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def line(value: object) -> None:
    """Print one JSON document on one line, at once."""
    print(msgspec.json.encode(value).decode(), flush=True)
