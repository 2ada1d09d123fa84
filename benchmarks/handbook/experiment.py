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
from features.catalogue.vector import FEATURES, SCHEMA, Feature

HANDBOOK, FULL = "handbook-15", "full"
_WINDOWED = ("count", "sum", "mean", "max", "std", "ratio_to_mean", "zscore")
_ORDER = ("terminal_last", "terminal_days", "terminal_fraud_run", "terminal_unexplained")


def _windowed(feature: Feature) -> bool:
    return feature.name.removesuffix(f"_{feature.window}") in _WINDOWED


#: Groups of features in the order in which they are added up; the last one makes the vector full.
GROUPS: dict[str, Callable[[Feature], bool]] = {
    "transaction": lambda f: f.source == "event",
    "+ card windows": lambda f: f.source == "history" and _windowed(f),
    "+ card habits": lambda f: f.source == "history" and not _windowed(f),
    "+ customer profile": lambda f: f.source == "profile",
    "+ terminal windows": lambda f: f.source == "counterpart" and not f.name.startswith(_ORDER),
    "+ terminal order": lambda f: f.source == "counterpart" and f.name.startswith(_ORDER),
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


class Week(msgspec.Struct, frozen=True):
    """The full vector with the seeded model, trained and tested some weeks earlier: means over the seeds."""

    train: str
    test: str
    positives: int
    auc: float
    ap: float
    cp100: float


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
    weeks: list[Week] = []


def run(
    transactions: Transactions,
    protocol: Protocol,
    data: str,
    seeds: Sequence[int],
    groups: bool,
    say: Callable[[str], None],
    models: Sequence[Model] = MODELS,
    weeks: int = 0,
) -> Iterator[Result]:
    """Fit and judge all ``models``; with ``groups``, also those that are seeded on the groups so far of GROUPS; with ``weeks``,
    also the seeded ones on the full vector with train and test as they are and 1 ... ``weeks - 1`` weeks earlier
    (``train_from`` stays). ``say`` gets a line a step.

    Gives the result after each row, so that a run that is stopped leaves the rows so far. Raises ValueError as
    ``Protocol.check`` does.
    """
    protocols = [protocol.earlier(7 * week) for week in range(max(weeks, 1))]
    for each in protocols:
        each.check(transactions)
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
        train_frauds=int(transactions.positive[train].sum()),
        test_rows=len(test),
        test_frauds=int(transactions.positive[test].sum()),
        feature_seconds=round(feature_seconds, 1),
        rows=[],
    )
    whole = {HANDBOOK: fifteen(transactions, own, protocol.delay_days), FULL: own}
    parts = _parts(own) if groups else {}
    for model in models:
        for name, matrix in (whole | parts if model.seeded else whole).items():
            row = _row(name, model, matrix, transactions, train, test, seeds if model.seeded else (0,))
            say(f"{name:26} {model.name:20} AUC {row.auc:.3f}  AP {row.ap:.3f}  CP@100 {row.cp100:.3f}  {row.seconds:.0f} s")
            result = msgspec.structs.replace(result, rows=[*result.rows, row])
            yield result
    for model in [m for m in models if m.seeded and weeks]:
        for each in protocols:
            train, test = each.train_rows(transactions), each.test_rows(transactions)
            same = [r for r in result.rows if each == protocol and (r.features, r.model) == (FULL, model.name)]
            row = same[0] if same else _row(FULL, model, own, transactions, train, test, seeds)
            week = Week(str(each.train), str(each.test), int(transactions.positive[test].sum()), row.auc, row.ap, row.cp100)
            say(f"week {week.test}  AUC {row.auc:.3f}  AP {row.ap:.3f}  CP@100 {row.cp100:.3f}  {row.seconds:.0f} s")
            result = msgspec.structs.replace(result, weeks=[*result.weeks, week])
            yield result


def write(result: Result, path: Path) -> None:
    """As indented JSON; makes the folder where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")


def read(path: Path) -> Result:
    """The inverse of ``write``."""
    return msgspec.json.decode(path.read_bytes(), type=Result)


def _parts(own: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """The groups added up, without the last one, which makes it full."""
    columns: list[int] = []
    parts = {}
    for name, belongs in list(GROUPS.items())[:-1]:
        columns += [i for i, feature in enumerate(FEATURES) if belongs(feature)]
        parts[name] = own[:, columns]
    return parts


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
        scores = model.fit(matrix[train], transactions.positive[train], matrix[test], seed)
        judged.append(judge(scores, transactions.positive[test], transactions.subject[test], transactions.day[test]))

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
