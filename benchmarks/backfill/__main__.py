"""``python -m benchmarks.backfill``: the card features of a whole file by Spark, pandas and polars, each in its own process."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.backfill import watch
from benchmarks.backfill.engines import ENGINES, ID, VECTOR
from benchmarks.backfill.report import OURS, Result, Row, section
from benchmarks.common import machine, write
from benchmarks.rolling import agreement, subset
from benchmarks.transform.measure import SHARED
from features.catalogue.vector import INDEX, N_STREAM, WIDTH

_THREADS = {"spark": 2, "polars": len(os.sched_getaffinity(0))}


def main(arguments: list[str] | None = None) -> int:
    """0, or 2 with one line on standard error where the file is missing or an engine fails or computes something else."""
    options = _parser().parse_args(arguments)
    try:
        result = run(options.data, options.engines.split(","))
    except (ValueError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 2
    write(result, options.json)
    print(section(options.json))
    return 0


def run(data: Path, engines: list[str]) -> Result:
    """Run the engines one after the other and compare what they wrote. Raises ValueError, or RuntimeError where one fails."""
    if not data.is_file():
        raise ValueError(f"--data: there is no file {data}")
    unknown = [name for name in engines if name not in ENGINES]
    if unknown:
        raise ValueError(f"--engines: {unknown[0]} is none of {', '.join(ENGINES)}")
    on = machine()
    rows: list[Row] = []
    # The transform goes first: the others are compared with it.
    wanted = ["transform", *(name for name in engines if name != "transform")]
    with tempfile.TemporaryDirectory(prefix="backfill-") as folder:
        base = Path(folder) / "transform"
        identical: bool | None = None
        ours: dict[str, NDArray[np.float32]] = {}
        for name in wanted:
            out = Path(folder) / name
            row = _measure(name, _laid_out(data, out) if name == "spark" else data, out)
            if name == "spark":
                # Both whole matrices are in memory here, and nowhere else.
                identical = _same_vectors(base, out)
            elif name != "transform":
                ours = ours or _ours(base)
                agreed = agreement.compare(ours, _theirs(out))
                row = msgspec.structs.replace(row, agreement=agreed)
            print(f"{name}: {row.wall_s:.1f} s, {row.cpu_s:.1f} CPU s, {row.peak_mib:,.0f} MiB", file=sys.stderr, flush=True)
            rows.append(row)
    order = list(ENGINES)
    rows.sort(key=lambda row: order.index(row.engine))
    return Result(on, data.name, int(pq.read_metadata(data).num_rows), identical, rows)


def _measure(name: str, data: Path, out: Path) -> Row:
    command = [sys.executable, "-m", "benchmarks.backfill.engines", name, "--data", str(data), "--out", str(out)]
    used = watch.run(command)
    seconds = json.loads(used.output.splitlines()[-1])
    features = N_STREAM if name in OURS else len(subset.names())
    return Row(
        engine=name,
        features=features,
        threads=_THREADS.get(name, 1),
        wall_s=round(used.wall_s, 2),
        ready_s=round(seconds["ready"], 2),
        work_s=round(seconds["work"], 2),
        cpu_s=round(max(used.cpu_s, seconds["cpu"]), 2),
        peak_mib=round(used.peak_mib, 1),
    )


def _laid_out(data: Path, out: Path) -> Path:
    """The file as an archive, which is where the job reads; not measured."""
    from benchmarks.backfill.spark import archive

    log = out.with_name("archive")
    archive(data, log)
    return log


def _matrix(folder: Path) -> NDArray[np.float32]:
    """Vectors [n, WIDTH] in the order of the transactions' ids."""
    parts = [pq.read_table(path, columns=[ID, VECTOR], partitioning=None) for path in sorted(folder.rglob("[!._]*.parquet"))]
    ids = np.concatenate([part.column(ID).cast("int64").to_numpy() for part in parts])
    flat = np.concatenate([chunk.flatten().to_numpy() for part in parts for chunk in part.column(VECTOR).chunks])
    return np.asarray(flat.reshape(-1, WIDTH)[np.argsort(ids)], dtype=np.float32)


def _same_vectors(folder: Path, other: Path) -> bool:
    return bool(np.array_equal(_matrix(folder).view(np.uint32), _matrix(other).view(np.uint32)))


def _ours(folder: Path) -> dict[str, NDArray[np.float32]]:
    matrix = _matrix(folder)
    return {name: matrix[:, INDEX[name]].copy() for name in SHARED}


def _theirs(folder: Path) -> dict[str, NDArray[Any]]:
    table = ds.dataset(folder, format="parquet").to_table(columns=[ID, *SHARED])
    order = np.argsort(table.column(ID).to_numpy())
    return {name: table.column(name).to_numpy(zero_copy_only=False)[order] for name in SHARED}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("benchmarks.backfill", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Parquet with the Handbook's columns")
    parser.add_argument("--json", type=Path, required=True, help="write the result here")
    parser.add_argument(
        "--engines", default=",".join(ENGINES), help="some of them, separated by commas; the transform always runs"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
