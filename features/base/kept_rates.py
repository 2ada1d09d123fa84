"""The rates that a platform counts by: taken from files, and kept beside its rows, where every host finds the same ones.

A row counts from LEAD_MS after it was taken in: by then every scorer has looked for new ones (``LOOK_S``), so that all of them,
and each of them after a restart, convert an event alike. Only the rows of a new platform count from the beginning.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from features.base import rates
from features.base.active import DOMAIN, WORDS
from features.base.conversion import Converter
from features.base.rates import Rate, RatesError
from features.base.settings import Settings
from features.base.storage import open_store

#: Wall time from taking a row in to the first event that it counts for.
LEAD_MS = 10_000
#: Wall time after which a scorer looks again; less than LEAD_MS by what the clocks of hosts may differ.
LOOK_S = 2.0
NAME = "units/rates.json"
_LOCK = "units/.rates"


class _Kept(msgspec.Struct):
    rates: list[Rate] = []


def content(settings: Settings) -> bytes:
    """Read what is kept, as it lies there; empty where nothing is. Raises OSError where its place is away."""
    try:
        return open_store(settings.rows_root, "storage.rows").read(NAME)
    except FileNotFoundError:
        return b""


def decoded(data: bytes) -> list[Rate]:
    """Return the rows of what ``content`` read."""
    return msgspec.json.decode(data, type=_Kept).rates if data else []


def read(settings: Settings) -> list[Rate]:
    """Read the rows that are kept. Raises OSError where their place is away."""
    return decoded(content(settings))


def take(settings: Settings, new_platform: bool) -> list[Rate]:
    """Take in the file of ``units.rates``, where that names one; return the rows that are new. For ``driftloop up``.

    Raises RatesError for a file or a row that cannot be taken, and for rows that changed or went away.
    """
    if not settings.units.rates:
        return []
    given = given_in(settings, settings.dir / settings.units.rates)
    return _add(settings, given, "file", 0 if new_platform else None)


def add(settings: Settings, path: Path) -> list[Rate]:
    """Take in the rows of a file; return those that are new. Raises RatesError for a file or a row that cannot be taken."""
    return _add(settings, given_in(settings, path), "add", None)


def given_in(settings: Settings, path: Path) -> list[Rate]:
    """Read the rows of a file. Raises RatesError."""
    if not DOMAIN.unit_field:
        raise RatesError(f"{WORDS.events} of {DOMAIN.name} name no unit, so there is nothing to convert; leave units.rates out")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RatesError(f"the rates in {path} cannot be read ({error}); name a CSV file in UTF-8") from error
    return rates.parse(text, path.name, settings.units.reference, DOMAIN.unit_places, DOMAIN.unit_field)


def converter(settings: Settings, rows: Sequence[Rate]) -> Converter:
    """Make what converts by these rows, for this process's domain, whose events name units."""
    return Converter(
        settings.units.reference, DOMAIN.unit_places, round(DOMAIN.parameters.unit), rows, DOMAIN.unit_field, WORDS.event
    )


def _add(settings: Settings, given: Sequence[Rate], by: Literal["file", "add"], known_ms: int | None) -> list[Rate]:
    store = open_store(settings.rows_root, "storage.rows")
    with store.lock(_LOCK):
        kept = read(settings)
        since = time.time_ns() // 1_000_000 + LEAD_MS if known_ms is None else known_ms
        new = rates.added(kept, given, since, by)
        if by == "file":
            rates.check_whole(kept, given)
        if new:
            rows = sorted([*kept, *new], key=lambda rate: (rate.unit, rate.valid_from_ms))
            store.write(NAME, msgspec.json.format(msgspec.json.encode(_Kept(rows)), indent=1))
    return new
