"""``python -m benchmarks.transform``: events a CPU second of the transform, river and pandas, on the same events."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks.common import Spread, machine, spread, write
from benchmarks.transform import events, measure
from benchmarks.transform.report import Result, section
from features.domains.card_fraud.event import Payment
from features.transform.columns import from_events

_PANDAS_REPEATS = 3


def main(arguments: list[str] | None = None) -> int:
    """0, or 2 with one line on standard error where the input is wrong or a peer computes something else."""
    options = _parser().parse_args(arguments)
    try:
        result = run(options)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    write(result, options.json)
    print(section(options.json))
    return 0


def run(options: argparse.Namespace) -> Result:
    """Measure everything. Raises ValueError for wrong input."""
    on = machine()
    stream = events.handbook(options.data) if options.data else events.simulated(5_000, 120, 2.0)
    measure.compile_all()
    length = options.events // options.segments
    wanted = stream.subject < options.peer_cards
    row, mine = measure.ours(stream, options.segments, length, wanted)
    _say(f"{row.stream}: {row.events_a_second.median:,.0f} events / CPU s")
    rows, peers = [row], []
    for peer in [
        *measure.pandas_peers(stream, wanted, mine, _PANDAS_REPEATS),
        *measure.river_peers(stream, wanted, mine, options.river_events, options.segments),
    ]:
        _say(f"{peer.name}: {peer.events_a_second.median:,.0f} events / CPU s")
        peers.append(peer)
    for subjects in options.cards:
        other = events.simulated(subjects, options.days, options.daily)
        another, _ = measure.ours(other, options.segments, min(length, len(other) // (2 * options.segments)))
        _say(f"{another.stream}: {another.events_a_second.median:,.0f} events / CPU s")
        rows.append(another)
    return Result(on, events.BATCH, rows, _decoding(options.segments), peers, measure.state_bytes(options.state_cards))


def _decoding(repeats: int) -> Spread:
    """Records a CPU second from decoded transactions to columns."""
    batch = [
        Payment(f"t-{i}", 1_767_600_000_000 + i, f"card-{i % 1500}", f"m{i % 700}", 100 + i, "EUR", mode="chip", flag=True)
        for i in range(events.BATCH)
    ]
    rates = []
    for _ in range(repeats):
        began = time.process_time()
        for _ in range(20):
            from_events(batch)
        rates.append(20 * len(batch) / (time.process_time() - began))
    return spread(rates)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("benchmarks.transform", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="write the result here")
    parser.add_argument("--data", type=Path, help="Parquet or CSV with the Handbook's columns; a simulated stream without it")
    parser.add_argument(
        "--events", type=int, default=400_000, help="measured of each stream, at its end; the rest warms the state"
    )
    parser.add_argument("--segments", type=int, default=5, help="pieces that these are measured in")
    parser.add_argument("--peer-cards", type=int, default=250, help="cards whose events the peers get")
    parser.add_argument("--river-events", type=int, default=20_000, help="the last of these events, which river is measured on")
    parser.add_argument("--state-cards", type=int, default=5_000, help="cards whose state is weighed, all alike")
    parser.add_argument("--cards", type=int, nargs="*", default=[10_000, 100_000], help="sizes of the simulated streams")
    parser.add_argument("--days", type=int, default=90, help="their length")
    parser.add_argument("--daily", type=float, default=0.5, help="their payments a card and day")
    return parser


if __name__ == "__main__":
    sys.exit(main())
