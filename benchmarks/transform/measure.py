"""The measurements: the transform over a stream, and the peers over the events of some of its cards."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.common import spread
from benchmarks.rolling import agreement, by_pandas, by_river, subset
from benchmarks.transform.events import BATCH, Stream, columns_of, simulated
from benchmarks.transform.report import STATE_DAYS, STATE_EVENTS, Ours, Peer
from features.base.active import DOMAIN
from features.base.durations import DAY_MS
from features.catalogue.vector import INDEX, N_STREAM
from features.history.state import SubjectState
from features.transform.update import update

Matrix = NDArray[np.float32]
#: The subset as far as the vector has it: columns of a matrix [n, len(SHARED)] below.
SHARED = [name for name in subset.names() if name in INDEX]
_SHARED_AT = [INDEX[name] for name in SHARED]


def compile_all() -> None:
    """Have the transform compiled before anything is measured: it is when it first runs."""
    for batch in simulated(10, 10, 1.0).batches(0, 100):
        update(SubjectState(), batch, DOMAIN.measure_limit)


def ours(stream: Stream, segments: int, length: int, wanted: NDArray[np.bool_] | None = None) -> tuple[Ours, Matrix]:
    """Measure ``segments`` consecutive pieces of ``length`` events at the stream's end; what comes before warms the state.

    Also gives the SHARED columns of the events that are ``wanted`` [n], in their order. Only ``update`` is measured. Raises
    ValueError where the stream is too short.
    """
    first = len(stream) - segments * length
    if first <= 0:
        raise ValueError(f"--events: {stream.name} has {len(stream):,} events; measure fewer than {segments * length:,}")
    chosen = np.zeros(len(stream), dtype=np.bool_) if wanted is None else wanted
    state = SubjectState()
    kept: list[Matrix] = []
    rates: list[float] = []

    def run(start: int, stop: int) -> float:
        seconds = 0.0
        for i, batch in enumerate(stream.batches(start, stop)):
            began = time.process_time()
            vectors = update(state, batch, DOMAIN.measure_limit)
            seconds += time.process_time() - began
            at = start + i * BATCH
            rows = np.flatnonzero(chosen[at : min(at + BATCH, stop)])
            kept.append(vectors[rows][:, _SHARED_AT])
        return seconds

    run(0, first)
    for i in range(segments):
        start = first + i * length
        rates.append(length / run(start, start + length))
    row = Ours(
        stream=stream.name,
        subjects=state.subjects,
        warm_events=first,
        kept_a_card=round(state.rows / state.subjects, 1),
        state_bytes_a_card=round(state.nbytes / state.subjects),
        features=N_STREAM,
        events_a_second=spread(rates),
    )
    return row, np.concatenate(kept)


def state_bytes(subjects: int) -> float:
    """Bytes a card, of cards that all have paid STATE_EVENTS times in STATE_DAYS days, one day after the other."""
    state = SubjectState()
    n = subjects * STATE_EVENTS
    subject = np.random.default_rng(3).permuted(np.tile(np.arange(subjects), (STATE_EVENTS, 1)), axis=1).reshape(-1)
    time_ms = 1_767_225_600_000 + np.arange(n) * (STATE_DAYS * DAY_MS // n)
    stream = Stream("", subjects, subject, columns_of(subject, time_ms, np.full(n, 4_990), subject))
    for batch in stream.batches(0, n):
        update(state, batch, DOMAIN.measure_limit)
    return state.nbytes / subjects


def pandas_peers(stream: Stream, wanted: NDArray[np.bool_], mine: Matrix, repeats: int) -> list[Peer]:
    """Both pandas styles over the whole histories of the ``wanted`` events; the transform's columns of them are ``mine``.

    Before each repeat, the transform takes the same events, from an empty state.
    """
    same = stream.of(wanted)
    events = pd.DataFrame(
        {
            "card": same.subject,
            "time": pd.to_datetime(same.columns.event_time_ms, unit="ms"),
            "amount": same.columns.measure / 100.0,
        }
    )

    def peer(name: str, how: str, tuned: bool, compute: Callable[[pd.DataFrame], pd.DataFrame]) -> Peer:
        rates, ours = [], []
        for _ in range(repeats):
            ours.append(len(same) / _seconds(SubjectState(), same, 0, len(same)))
            began = time.process_time()
            features = compute(events)
            rates.append(len(same) / (time.process_time() - began))
        columns = {column: features[column].to_numpy(dtype=np.float64) for column in features.columns}
        agreed = agreement.compare(_columns(mine), columns)
        return Peer(name, how, len(columns), "", len(same), spread(rates), spread(ours), tuned, agreed)

    return [
        peer(
            "pandas, customer by customer",
            "`groupby.apply`, `rolling` by time: the Handbook's style",
            False,
            by_pandas.customer_by_customer,
        ),
        peer("pandas, all at once", "one `groupby().rolling()` a window", True, by_pandas.grouped),
    ]


def river_peers(stream: Stream, wanted: NDArray[np.bool_], mine: Matrix, events: int, segments: int) -> list[Peer]:
    """river over the same events, one after the other; the last ``events`` of them are measured, in ``segments`` pieces.

    The events before warm river and, beside it, the transform, which takes each piece just before river does.
    """
    same = stream.of(wanted)
    subjects = same.subject.tolist()
    epoch = datetime(1970, 1, 1)  # river compares with a time that has no zone
    times = [epoch + timedelta(milliseconds=ms) for ms in same.columns.event_time_ms.tolist()]
    amounts = (same.columns.measure / 100.0).tolist()
    names = [name for window in subset.WINDOWS for name in by_river.names(window)]
    first = max(len(subjects) - events, 0)
    length = (len(subjects) - first) // segments

    def peer(name: str, how: str, tuned: bool, step: Callable[[int, datetime, float], list[float]]) -> Peer:
        rows: list[list[float]] = []
        rates: list[float] = []
        ours: list[float] = []
        state = SubjectState()

        def run(start: int, stop: int) -> float:
            began = time.process_time()
            for subject, when, amount in zip(subjects[start:stop], times[start:stop], amounts[start:stop], strict=True):
                rows.append(step(subject, when, amount))
            return time.process_time() - began

        _seconds(state, same, 0, first)
        run(0, first)
        for i in range(segments):
            start = first + i * length
            ours.append(length / _seconds(state, same, start, start + length))
            rates.append(length / run(start, start + length))
        columns = dict(zip(names, np.array(rows[first:]).T, strict=True))
        agreed = agreement.compare(_columns(mine[first : first + segments * length]), columns)
        return Peer(name, how, len(names), "max", segments * length, spread(rates), spread(ours), tuned, agreed)

    return [
        peer("river, one statistic each", "`TimeRolling` of `Sum`, `Mean`, `Var` each window", False, by_river.OneEach().step),
        peer("river, variance only", "`TimeRolling` of `Var`; the rest from its fields", True, by_river.VarianceOnly().step),
    ]


def _seconds(state: SubjectState, stream: Stream, start: int, stop: int) -> float:
    """CPU time of the transform over the events from ``start`` to ``stop``, in batches."""
    seconds = 0.0
    for batch in stream.batches(start, stop):
        began = time.process_time()
        update(state, batch, DOMAIN.measure_limit)
        seconds += time.process_time() - began
    return seconds


def _columns(shared: Matrix) -> dict[str, Matrix]:
    return {name: shared[:, i] for i, name in enumerate(SHARED)}
