"""Archives as a scorer with random batch sizes would have filled them: simulated payments and the vectors served for them."""

from __future__ import annotations

import zlib

import msgspec
import numpy as np

from features.card_state import CardState
from features.columns import from_transactions
from features.events import Score, Transaction
from features.profiles import fill, unknown
from features.settings import Features, Labels, Settings
from features.transform import update
from features.vector import NAMES, packed, unpacked
from streams import topics
from streams.archive import Archived, ArchiveSink
from streams.publish.encode import encode_transactions
from streams.simulate.options import Options
from streams.simulate.simulation import Simulation


def transactions(options: Options, days: int) -> list[Transaction]:
    """The simulated payments of the first ``days``, in event-time order."""
    decode = msgspec.json.Decoder(Transaction).decode
    return [decode(row) for batch in Simulation(options).days(0, days) for row in encode_transactions(batch.transactions)]


def served(events: list[Transaction], partitions: int = 2, seed: int = 0, features: Features | None = None) -> list[Archived]:
    """What is archived of them, each card in a partition of its own choice, in the order of the log."""
    features = features or Features()
    rng, states = np.random.default_rng(seed), [CardState() for _ in range(partitions)]
    rows: list[Archived] = []
    offsets = [0] * partitions
    at = 0
    while at < len(events):
        batch = events[at : at + int(rng.integers(1, 400))]
        at += len(batch)
        of = [zlib.crc32(event.card_id.encode()) % partitions for event in batch]
        for partition in range(partitions):
            mine = [event for event, chosen in zip(batch, of, strict=True) if chosen == partition]
            columns = from_transactions(mine)
            vectors = update(states[partition], columns, features.amount_limit)
            # As with an online store that is empty.
            fill(vectors, columns, unknown(len(mine)), Labels().delay_ms, Labels().step_hours)
            for event, vector in zip(mine, vectors, strict=True):
                score = Score(event, features.vector_schema, packed(vector), "unscored")
                rows.append(Archived(topics.SCORES, partition, offsets[partition], score))
                offsets[partition] += 1
    return rows


def archive(settings: Settings, rows: list[Archived]) -> None:
    """Write the rows as the archive processor does, in three batches."""
    sink = ArchiveSink(settings)
    for part in range(3):
        sink.write(rows[part * len(rows) // 3 : (part + 1) * len(rows) // 3])


def tampered(rows: list[Archived], at: int, feature: str) -> list[Archived]:
    """The rows with one value of the vector ``at`` moved by one bit."""
    row = rows[at]
    assert isinstance(row.event, Score)
    vector = unpacked(row.event.features).copy()
    column = NAMES.index(feature)
    vector[column] = np.nextafter(vector[column], np.float32(np.inf))
    event = msgspec.structs.replace(row.event, features=packed(vector))
    return [*rows[:at], Archived(row.topic, row.partition, row.offset, event), *rows[at + 1 :]]
