"""The backfill's results, and their table."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.common import Machine, describe, read
from benchmarks.rolling.agreement import Agreement

OURS = ("spark", "transform")
TITLES = {
    "spark": "the backfill job in Spark, 2 threads",
    "transform": "this transform without Spark, 1 thread",
    "pandas": "pandas, customer by customer (the Handbook's style), 1 thread",
    "pandas-grouped": "pandas, `groupby().rolling()`, 1 thread",
    "polars": "polars, `rolling`, a thread a core",
}


class Row(msgspec.Struct, frozen=True):
    """One engine. Seconds of the whole process (``wall_s``), until it was ready (imports, compiling, Spark's session), and of the
    work from file to file; CPU seconds and peak memory of the process and its descendants; agreement with ``transform``.
    """

    engine: str
    features: int
    threads: int
    wall_s: float
    ready_s: float
    work_s: float
    cpu_s: float
    peak_mib: float
    agreement: Agreement | None = None


class Result(msgspec.Struct, frozen=True):
    """One run over a file of ``rows`` rows. ``identical``: Spark gave the one process's vectors bit by bit (None: no Spark)."""

    machine: Machine
    data: str
    rows: int
    identical: bool | None
    engines: list[Row]


def section(path: Path) -> str:
    """Markdown of one result."""
    result = read(path, Result)
    lines = [
        describe(result.machine),
        "",
        f"{result.data}, {result.rows:,} rows, from Parquet to Parquet:",
        "",
        "| engine | features | wall s | ready after s | work s | CPU s | peak MiB | rows / s of work and thread | rows / CPU s |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [_line(row, result.rows) for row in result.engines]
    lines.append("")
    if result.identical is not None:
        equal = "are equal bit by bit" if result.identical else "DIFFER"
        lines.append(f"- Spark's vectors and those of one process in one go {equal}.")
    spark = next((row for row in result.engines if row.engine == "spark"), None)
    for row in result.engines:
        if row.agreement is not None:
            a = row.agreement
            lines.append(
                f"- {row.engine} against the transform: {a.columns} columns, {a.values:,} values, {a.differing:,} differ "
                f"(payments of one card in the same second); of the others the largest difference is {a.largest:.1e}, "
                f"in `{a.worst}`."
            )
        if spark is not None and row.engine not in OURS:
            lines.append(f"- Wall time, Spark against {row.engine}: {_times(spark.wall_s, row.wall_s)}.")
    return "\n".join(lines)


def _line(row: Row, rows: int) -> str:
    return (
        f"| {TITLES[row.engine]} | {row.features} | {row.wall_s:.1f} | {row.ready_s:.1f} | {row.work_s:.1f} | {row.cpu_s:.1f} "
        f"| {row.peak_mib:,.0f} | {rows / row.work_s / row.threads:,.0f} | {rows / row.cpu_s:,.0f} |"
    )


def _times(spark: float, other: float) -> str:
    """With all features on one side and the subset on the other."""
    return f"{other / spark:.1f} times as fast" if other >= spark else f"{spark / other:.1f} times as slow"
