"""``python -m benchmarks.feast``: reads and writes of the online store on a real Redis, beside Feast's SDK and plain redis-py."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.common import machine, write
from benchmarks.feast import readers, rows, writers
from benchmarks.feast.report import FEAST, OURS, PLAIN, Result, Row, section
from features.base.settings import Settings, load
from features.feast_repo.store import apply
from features.online.store import OnlineWriter
from infra.errors import PlatformError
from infra.platform import up_down

#: Calls by size of the batch: enough for a median, few enough for Feast.
CALLS = {1: 300, 64: 100, 512: 25}
_WARM = 3


def main(arguments: list[str] | None = None) -> int:
    """0; 2 with one line on standard error where Redis does not come up, or Feast reads something else."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="feast-") as folder:
        settings = load(Path(folder) / "platform")
        try:
            settings = up_down.up(settings, only={"redis"})
            result = run(settings, options.entities)
        except (PlatformError, ValueError) as error:
            print(error, file=sys.stderr)
            return 2
        finally:
            up_down.down(settings)
    write(result, options.json)
    print(section(options.json))
    return 0


def run(settings: Settings, entities: int) -> Result:
    """Fill the store with ``entities`` terminals and customers, then measure reads and writes."""
    on = machine()
    store = apply(settings)
    distinct_counterparts, owners = rows.counterparts(entities), rows.owners(entities)
    writer = OnlineWriter(settings)
    writer.write_counterpart_risk(distinct_counterparts)
    writer.write_profiles(owners)
    counterparts, subjects = [row.counterpart for row in distinct_counterparts], [row.subject for row in owners]
    draw = random.Random(1)

    mine, feast = readers.ours(settings), readers.by_feast(store)
    readers.check(mine(counterparts[:100], subjects[:100]), feast(counterparts[:100], subjects[:100]))
    read_ways: dict[str, readers.Read] = {OURS: mine, FEAST: feast, PLAIN: readers.plain(store, settings)}

    def prepare_read(way: str, batch: int, number: int) -> Callable[[], object]:
        t, c = draw.sample(counterparts, batch), draw.sample(subjects, batch)
        return lambda: read_ways[way](t, c)

    reads = _measure("read", prepare_read)
    few = entities // 10
    write_ways = {
        OURS: writers.ours(settings, distinct_counterparts[:few], owners[:few]),
        FEAST: writers.by_feast(store, distinct_counterparts[:few], owners[:few]),
        PLAIN: writers.plain(settings, distinct_counterparts[:few], owners[:few]),
    }

    def prepare_write(way: str, batch: int, number: int) -> Callable[[], object]:
        # Whole seconds apart: Feast keeps what is there where a row is of the same second.
        return write_ways[way](draw.sample(range(few), batch), rows.NOW_MS + 1000 * (number + 1))

    writes = _measure("write", prepare_write)
    a_terminal, a_customer = readers.stored_bytes(settings, store, counterparts[:500], subjects[:500])
    return Result(on, entities, entities, a_terminal, a_customer, reads, writes)


def _measure(what: str, prepare: Callable[[str, int, int], Callable[[], object]]) -> list[Row]:
    """The three ways in turn, call by call, so that what else the machine does hits all of them."""
    all_rows = []
    number = 0
    for batch, calls in CALLS.items():
        wall: dict[str, list[float]] = {OURS: [], FEAST: [], PLAIN: []}
        cpu: dict[str, list[float]] = {OURS: [], FEAST: [], PLAIN: []}
        for i in range(calls + _WARM):
            for way, times in wall.items():
                number += 1
                call = prepare(way, batch, number)
                began, used = time.perf_counter(), time.process_time()
                call()
                if i >= _WARM:
                    cpu[way].append(time.process_time() - used)
                    times.append(time.perf_counter() - began)
        all_rows += [_row(way, batch, wall[way], cpu[way]) for way in wall]
        print(f"{what}, batches of {batch}: " + ", ".join(f"{r.way} {r.p50_ms:.2f} ms" for r in all_rows[-3:]), file=sys.stderr)
    return all_rows


def _row(way: str, batch: int, wall: Sequence[float], cpu: Sequence[float]) -> Row:
    p50, p95 = (round(float(p) * 1000, 3) for p in np.percentile(wall, [50, 95]))
    return Row(way, batch, len(wall), p50, p95, round(float(np.mean(cpu)) * 1000, 3))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("benchmarks.feast", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="write the result here")
    parser.add_argument("--entities", type=int, default=20_000, help="terminals, and customers, in the store")
    return parser


if __name__ == "__main__":
    sys.exit(main())
