from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa

from features.catalogue.vector import NAMES, WIDTH
from features.skew.differences import SHOWN, Differences, between, together

N = 40
ROWS = pa.table(
    {
        "card_id": [f"c{i % 3}" for i in range(N)],
        "transaction_id": [f"x{i}" for i in range(N)],
        "event_time_ms": [1000 - i for i in range(N)],
        "kafka_partition": [0] * N,
        "kafka_offset": list(range(N)),
    }
)


def test_equal_bits_do_not_differ() -> None:
    some = np.random.default_rng(0).normal(size=(N, WIDTH)).astype(np.float32)
    assert between(ROWS, some, some.copy(), range(WIDTH)) == Differences(N, WIDTH)
    assert Differences(N, 5).values == 5 * N


def test_one_bit_differs_and_zero_has_a_sign() -> None:
    served = np.zeros((N, WIDTH), dtype=np.float32)
    again = served.copy()
    again[3, 1], again[2, 4], again[7, 0] = np.nextafter(np.float32(0), np.float32(1)), -0.0, 2.0
    report = between(ROWS, served, again, [1, 4])
    assert (report.vectors, report.features, report.differing) == (N, 2, 2)
    assert report.by_feature == {NAMES[1]: 1, NAMES[4]: 1}
    # The later row has the earlier time.
    assert [(d.event_id, d.feature) for d in report.first] == [("x3", NAMES[1]), ("x2", NAMES[4])]
    assert report.first[0].subject == "c0"
    assert 0 < report.mean < report.largest < 1e-40


def test_parts_add_up_to_the_whole() -> None:
    rng = np.random.default_rng(1)
    served = rng.normal(size=(N, WIDTH)).astype(np.float32)
    again = np.where(rng.random((N, WIDTH)) < 0.3, served + 1, served).astype(np.float32)
    whole = between(ROWS, served, again, range(8))
    parts = [between(ROWS.slice(a, 10), served[a : a + 10], again[a : a + 10], range(8)) for a in range(0, N, 10)]
    parts = [msgspec.json.decode(msgspec.json.encode(part), type=Differences) for part in parts]
    added = together(parts, 8)
    assert len(added.first) == SHOWN
    np.testing.assert_allclose(added.mean, whole.mean)
    assert msgspec.structs.replace(added, mean=whole.mean) == whole
    assert together([], 8) == Differences(0, 8)
