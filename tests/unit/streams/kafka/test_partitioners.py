"""The hashes that spread keys: Kafka's own values (``UtilsTest.testMurmur2``), and all keys at once as one by one."""

from __future__ import annotations

import numpy as np
import pytest

from streams.kafka.partitioners import HASHES, Name, murmur2, spread

KAFKA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "hashed"), KAFKA.items())
def test_a_key_is_hashed_as_java_does(key: bytes, hashed: int) -> None:
    assert murmur2(key) == hashed % 2**32


@pytest.mark.parametrize("name", sorted(HASHES))
@pytest.mark.parametrize("partitions", [1, 4, 7, 1000])
def test_many_keys_are_spread_as_each_by_itself(name: Name, partitions: int) -> None:
    rng = np.random.default_rng(1)
    keys = [*KAFKA, b"", *(rng.bytes(int(rng.integers(0, 40))) for _ in range(500))]
    assert spread(name, keys, partitions).tolist() == [HASHES[name](key) % partitions for key in keys]
    assert spread(name, [], partitions).tolist() == []
