"""``python -m benchmarks.handbook``: the Handbook's protocol on any file with its columns, any windows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.handbook.data import load
from benchmarks.handbook.experiment import Result, run, write
from benchmarks.handbook.models import MODELS
from benchmarks.handbook.protocol import Period, Protocol, day_of, period_of
from benchmarks.handbook.report import table


def main(arguments: list[str] | None = None) -> int:
    """0, or 2 with one line on standard error where the input is wrong."""
    options = _parser().parse_args(arguments)
    try:
        for result in _results(options):
            latest = result
            if options.json:
                write(result, options.json)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"\n{table(latest)}")
    return 0


def _results(options: argparse.Namespace) -> Iterator[Result]:
    train, test = _period("--train", options.train), _period("--test", options.test)
    train_from = train.first if options.train_from is None else _day("--train-from", options.train_from)
    if options.seeds < 1:
        raise ValueError("--seeds: must be 1 or more")
    protocol = Protocol(train, test, options.delay_days, train_from)

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    known = {m.name: m for m in MODELS}
    models = [known.get(name) for name in options.models.split(",")]
    if None in models:
        raise ValueError(f"--models: choose from {', '.join(known)}, separated by commas")
    chosen = [m for m in models if m is not None]
    return run(load(options.data), protocol, options.data.name, range(options.seeds), options.groups, say, chosen, options.weeks)


def _period(option: str, text: str) -> Period:
    try:
        return period_of(text)
    except ValueError as error:
        raise ValueError(f"{option}: give FIRST:LAST as YYYY-MM-DD:YYYY-MM-DD ({error})") from error


def _day(option: str, text: str) -> int:
    try:
        return day_of(text)
    except ValueError as error:
        raise ValueError(f"{option}: give a date as YYYY-MM-DD ({error})") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("benchmarks.handbook", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Parquet or CSV with the Handbook's columns")
    parser.add_argument("--train", required=True, help="FIRST:LAST, both dates included")
    parser.add_argument("--test", required=True, help="FIRST:LAST, both dates included")
    parser.add_argument("--delay-days", type=int, default=7, help="whole days until a label is known")
    parser.add_argument("--train-from", help="begin the training rows here instead; the test rows stay those of --train")
    parser.add_argument("--seeds", type=int, default=5, help="fits of each model whose seed matters")
    parser.add_argument("--models", default=",".join(m.name for m in MODELS), help="some of them, separated by commas")
    parser.add_argument("--groups", action="store_true", help="also fit the perceptron on the vector's groups, added up")
    parser.add_argument("--weeks", type=int, default=0, help="also test the perceptron on so many weeks, backwards from --test")
    parser.add_argument("--json", type=Path, help="write the result here, after each row")
    return parser


if __name__ == "__main__":
    sys.exit(main())
