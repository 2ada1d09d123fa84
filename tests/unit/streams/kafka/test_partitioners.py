"""The hash that spreads keys, against the values of Kafka's own test (``UtilsTest.testMurmur2``)."""

from __future__ import annotations

import pytest

from streams.kafka.partitioners import murmur2

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
