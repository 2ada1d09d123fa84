"""The online store's results, and their tables."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.common import Machine, describe, goal, read

OURS, FEAST, PLAIN = "ours", "feast", "redis-py"
#: Ours is to be this many times as fast as Feast's SDK, and to reach this share of plain redis-py.
GOAL_FEAST, GOAL_PLAIN = 5.0, 0.5


class Row(msgspec.Struct, frozen=True):
    """One way, one batch size: median and 95th percentile of a call's wall time, and the process's own CPU time a call, ms."""

    way: str
    batch: int
    calls: int
    p50_ms: float
    p95_ms: float
    cpu_ms: float


class Result(msgspec.Struct, frozen=True):
    """``bytes_a_terminal`` and ``bytes_a_customer``: of the values in Redis, in the mean."""

    machine: Machine
    counterparts: int
    customers: int
    bytes_a_terminal: float
    bytes_a_customer: float
    reads: list[Row]
    writes: list[Row]


def section(path: Path) -> str:
    """Markdown of one result."""
    result = read(path, Result)
    lines = [
        describe(result.machine),
        "",
        f"{result.counterparts:,} terminals of {result.bytes_a_terminal:,.0f} bytes and {result.customers:,} customers of "
        f"{result.bytes_a_customer:,.0f} bytes in a real Redis.",
    ]
    for what, rows in (("read", result.reads), ("write", result.writes)):
        lines += [
            "",
            f"| {what} | batch | calls | p50 ms | p95 ms | own CPU ms | transactions / s | ours is faster by |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        lines += [_line(row, _of(rows, OURS, row.batch)) for row in rows]
    lines.append("")
    for what, rows in (("reads", result.reads), ("writes", result.writes)):
        for batch in dict.fromkeys(row.batch for row in rows):
            mine = _of(rows, OURS, batch).p50_ms
            of = f"{what} of {batch}"
            lines.append(goal(f"{of} against Feast's SDK", _of(rows, FEAST, batch).p50_ms / mine, GOAL_FEAST))
            lines.append(goal(f"{of} as a share of plain redis-py", _of(rows, PLAIN, batch).p50_ms / mine, GOAL_PLAIN, ""))
    return "\n".join(lines)


def _line(row: Row, mine: Row) -> str:
    rate = row.batch / row.p50_ms * 1000
    return (
        f"| {row.way} | {row.batch} | {row.calls:,} | {row.p50_ms:.2f} | {row.p95_ms:.2f} | {row.cpu_ms:.2f} | {rate:,.0f} "
        f"| {row.p50_ms / mine.p50_ms:.2f}x |"
    )


def _of(rows: list[Row], way: str, batch: int) -> Row:
    return next(row for row in rows if (row.way, row.batch) == (way, batch))
