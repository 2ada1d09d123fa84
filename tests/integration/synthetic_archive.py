"""An archive as the archive processor leaves it, with a fraud pattern that can be learned."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.archive import layout
from features.base.durations import DAY_MS
from features.base.settings import Settings
from features.catalogue.vector import INDEX, SCHEMA, WIDTH

START_MS = 1_735_689_600_000  # 2025-01-01
MODES = np.array(["chip", "contactless", "online"])


def write(settings: Settings, rows: int, days: int, seed: int = 1, learnable: bool = True, first_day: int = 0) -> int:
    """Archive ``rows`` transactions of ``days`` days and their outcomes; return the time of the newest.

    About 1.5 % are frauds: large amounts and fast cards where ``learnable``, anything otherwise. Within the label delay of the
    end, half of the frauds are reported and nothing else is known.
    """
    rng = np.random.default_rng(seed)
    time = np.sort(rng.integers(0, days * DAY_MS, rows)) + START_MS + first_day * DAY_MS
    vectors = rng.exponential(5.0, (rows, WIDTH)).astype(np.float32)
    amount = np.round(np.exp(rng.normal(3.3, 0.8, rows)) * 100).astype(np.int64)
    vectors[:, INDEX["amount"]] = amount / 100
    signal = np.log(amount / 100) + 0.15 * vectors[:, INDEX["count_1h"]] if learnable else np.zeros(rows)
    chance = 1 / (1 + np.exp(-4 * (signal - np.quantile(signal, 0.99)))) if learnable else np.full(rows, 0.015)
    positive = rng.random(rows) < chance

    subject = np.char.add("c", rng.integers(0, max(rows // 100, 20), rows).astype(str))
    counterpart = np.char.add("t", rng.integers(0, 200, rows).astype(str))
    transaction = np.char.add(f"x{first_day}-", np.arange(rows).astype(str))
    mode = MODES[rng.integers(0, 3, rows)]
    place = rng.uniform(40, 50, (rows, 2))
    scores = _table(
        layout.SCORES,
        rows,
        transaction_id=transaction,
        event_time_ms=time,
        card_id=subject,
        terminal_id=counterpart,
        amount_minor=amount,
        currency=np.full(rows, "EUR"),
        latitude=pa.array(place[:, 0], mask=mode == "online"),
        longitude=pa.array(place[:, 1], mask=mode == "online"),
        entry_mode=mode,
        schema=np.full(rows, SCHEMA),
        features=pa.FixedSizeListArray.from_arrays(vectors.reshape(-1), WIDTH).cast(pa.list_(pa.float32())),
        decision=np.full(rows, "unscored"),
        degraded=np.zeros(rows, bool),
        kafka_offset=np.arange(rows),
    )
    newest = int(time[-1])
    matured = time + settings.labels.delay_ms <= newest
    known = matured | (positive & (rng.random(rows) < 0.5))
    outcomes = _table(
        layout.OUTCOMES,
        rows,
        event_id=transaction,
        subject=subject,
        counterpart=counterpart,
        event_time_ms=time,
        outcome_time_ms=np.minimum(time + settings.labels.delay_ms, newest),
        positive=positive,
        source=np.where(positive, "chargeback", "matured"),
        measure=amount,
        late=np.zeros(rows, bool),
        kafka_offset=np.arange(rows),
    ).filter(pa.array(known))
    for kind, table in (("scores", scores), ("outcomes", outcomes)):
        _by_day(settings, kind, table)
    return newest


def _table(layout_: pa.Schema, rows: int, /, **columns: NDArray[np.generic] | pa.Array) -> pa.Table:
    assert columns.keys() <= set(layout_.names)
    arrays = [pa.array(columns[f.name]).cast(f.type) if f.name in columns else pa.nulls(rows, f.type) for f in layout_]
    return pa.table(arrays, schema=layout_)


def _by_day(settings: Settings, kind: str, table: pa.Table) -> None:
    day = table.column("event_time_ms").to_numpy() // DAY_MS
    for epoch_day in np.unique(day):
        part = table.filter(pa.array(day == epoch_day))
        folder = settings.archive / kind / f"day={datetime.fromtimestamp(int(epoch_day) * 86_400, UTC):%Y-%m-%d}"
        first, last = part.column("kafka_offset")[0].as_py(), part.column("kafka_offset")[-1].as_py()
        layout.write(part, folder / f"{kind}-0-{first:012d}-{last:012d}.parquet")
