"""Every feature set with every model, on one protocol."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.handbook.data import Transactions
from benchmarks.handbook.fifteen import fifteen
from benchmarks.handbook.metrics import Scores, judge
from benchmarks.handbook.models import MODELS, Model
from benchmarks.handbook.protocol import Protocol, name_of
from benchmarks.handbook.stream import vectors
from features.vector import FEATURES, SCHEMA

HANDBOOK, FULL = "handbook-15", "full"
#: Feature sets between nothing and the full vector, by the source of their columns.
GROUPS = {
    "transaction": ("transaction",),
    "transaction+card": ("transaction", "card"),
    "transaction+card+customer": ("transaction", "card", "customer"),
    "transaction+terminal": ("transaction", "terminal"),
}


class Row(msgspec.Struct, frozen=True):
    """One model on one feature set: means over ``seeds`` fits, and the deviation of AP between them; seconds of all fits."""

    features: str
    model: str
    seeds: int
    auc: float
    ap: float
    cp100: float
    ap_deviation: float
    columns: int
    seconds: float


class Result(msgspec.Struct, frozen=True):
    """What one run of the benchmark writes; ``rows`` in the order of fitting."""

    data: str
    train: str
    train_from: str
    test: str
    delay_days: int
    schema: str
    train_rows: int
    train_frauds: int
    test_rows: int
    test_frauds: int
    feature_seconds: float
    rows: list[Row]


def run(
    transactions: Transactions,
    protocol: Protocol,
    data: str,
    seeds: Sequence[int],
    groups: bool,
    say: Callable[[str], None],
    models: Sequence[Model] = MODELS,
) -> Iterator[Result]:
    """Fit and judge all ``models``; with ``groups``, also those that are seeded on each of GROUPS. ``say`` gets a line a step.

    Gives the result after each row, so that a run that is stopped leaves the rows so far. Raises ValueError as
    ``Protocol.check`` does.
    """
    protocol.check(transactions)
    started = time.perf_counter()
    own = vectors(transactions, protocol.delay_days)
    feature_seconds = time.perf_counter() - started
    say(f"{len(transactions):,} vectors in {feature_seconds:.1f} s")
    train, test = protocol.train_rows(transactions), protocol.test_rows(transactions)
    result = Result(
        data=data,
        train=str(protocol.train),
        train_from=name_of(protocol.train_from),
        test=str(protocol.test),
        delay_days=protocol.delay_days,
        schema=SCHEMA,
        train_rows=len(train),
        train_frauds=int(transactions.is_fraud[train].sum()),
        test_rows=len(test),
        test_frauds=int(transactions.is_fraud[test].sum()),
        feature_seconds=round(feature_seconds, 1),
        rows=[],
    )
    whole = {HANDBOOK: fifteen(transactions, own, protocol.delay_days), FULL: own}
    parts = {name: own[:, _columns_of(sources)] for name, sources in GROUPS.items()} if groups else {}
    for model in models:
        for name, matrix in (whole | parts if model.seeded else whole).items():
            row = _row(name, model, matrix, transactions, train, test, seeds if model.seeded else (0,))
            say(f"{name:26} {model.name:20} AUC {row.auc:.3f}  AP {row.ap:.3f}  CP@100 {row.cp100:.3f}  {row.seconds:.0f} s")
            result = msgspec.structs.replace(result, rows=[*result.rows, row])
            yield result


def write(result: Result, path: Path) -> None:
    """As indented JSON; makes the folder where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")


def read(path: Path) -> Result:
    """The inverse of ``write``."""
    return msgspec.json.decode(path.read_bytes(), type=Result)


def _columns_of(sources: tuple[str, ...]) -> list[int]:
    return [i for i, feature in enumerate(FEATURES) if feature.source in sources]


def _row(
    name: str,
    model: Model,
    matrix: NDArray[np.float32],
    transactions: Transactions,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    seeds: Sequence[int],
) -> Row:
    started = time.perf_counter()
    judged: list[Scores] = []
    for seed in seeds:
        scores = model.fit(matrix[train], transactions.is_fraud[train], matrix[test], seed)
        judged.append(judge(scores, transactions.is_fraud[test], transactions.card[test], transactions.day[test]))

    def mean(values: list[float]) -> float:
        return round(float(np.mean(values)), 4)

    return Row(
        features=name,
        model=model.name,
        seeds=len(seeds),
        auc=mean([s.auc for s in judged]),
        ap=mean([s.ap for s in judged]),
        cp100=mean([s.cp100 for s in judged]),
        ap_deviation=round(float(np.std([s.ap for s in judged])), 4),
        columns=matrix.shape[1],
        seconds=round(time.perf_counter() - started, 1),
    )
