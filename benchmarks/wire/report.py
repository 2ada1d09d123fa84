"""The result, and its table."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.common import Machine, Spread, describe, read


class Row(msgspec.Struct, frozen=True):
    """One format: bytes of a value in the mean, and events a second of CPU, decoded and checked, and written."""

    form: str
    bytes_a_value: float
    decoded: Spread
    written: Spread


class Result(msgspec.Struct, frozen=True):
    """``json_alone``: JSON where no other format can be read."""

    machine: Machine
    events: int
    json_alone: Spread
    rows: list[Row]


def section(path: Path) -> str:
    """The table as Markdown."""
    result = read(path, Result)
    plain = next(row for row in result.rows if row.form == "json")
    lines = [
        f"{describe(result.machine)} {result.events:,} simulated events; one core, CPU time,"
        f" median of {plain.decoded.n} rounds (lowest to highest).",
        "",
        "| format | bytes a value | decoded and checked, events a second | us an event | written, events a second |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row.form} | {row.bytes_a_value:.0f} | {_rate(row.decoded)} | {1e6 / row.decoded.median:.2f} | {_rate(row.written)} |"
        for row in result.rows
    ]
    share = 100 * (plain.decoded.median / result.json_alone.median - 1)
    lines += ["", f"JSON where nothing else can be read: {_rate(result.json_alone)}; with the wire beside it {share:+.1f} %."]
    return "\n".join(lines)


def _rate(value: Spread) -> str:
    return f"{value.median:,.0f} ({value.low:,.0f} to {value.high:,.0f})"
