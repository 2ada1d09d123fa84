"""How producers spread keys over partitions, and which way explains a log.

| name | who spreads so | partition of a key |
| --- | --- | --- |
| ``murmur2`` | Java's clients, driftloop's, librdkafka's ``murmur2`` and ``murmur2_random`` | murmur2(key) & 0x7fffffff mod n |
| ``crc32`` | librdkafka's default: ``consistent_random``, and ``consistent`` | crc32(key) mod n |

Sources: Apache Kafka, ``BuiltInPartitioner.partitionForKey``; librdkafka, ``rdkafka_msg.c``.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

Name = Literal["murmur2", "crc32"]
_MIX, _BITS = 0x5BD1E995, 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Return MurmurHash2 as Java's clients compute it (``org.apache.kafka.common.utils.Utils.murmur2``), unsigned, 32 bits."""
    hashed = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for start in range(0, whole, 4):
        word = int.from_bytes(data[start : start + 4], "little") * _MIX & _BITS
        hashed = hashed * _MIX & _BITS ^ (word ^ word >> 24) * _MIX & _BITS
    if whole < len(data):
        hashed = (hashed ^ int.from_bytes(data[whole:], "little")) * _MIX & _BITS
    hashed = (hashed ^ hashed >> 13) * _MIX & _BITS
    return hashed ^ hashed >> 15


@lru_cache(maxsize=200_000)
def _murmur2(key: bytes) -> int:
    return murmur2(key) & 0x7FFFFFFF


#: In the order in which they are believed where several explain a log: the first is what the documentation asks for.
HASHES: dict[Name, Callable[[bytes], int]] = {"murmur2": _murmur2, "crc32": zlib.crc32}


class Unexplained(ValueError):
    """No known partitioner puts the keys where they are."""


class Evidence:
    """What the keys of a log of ``partitions`` partitions say."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self.keys = 0
        #: Of each way, how many keys of which topic it puts elsewhere.
        self.elsewhere: dict[Name, dict[str, int]] = {name: {} for name in HASHES}

    def see(self, topic: str, partition: int, key: bytes | None) -> None:
        """Count a record; one without a key says nothing."""
        if not key:
            return
        self.keys += 1
        for name, hashed in HASHES.items():
            if hashed(key) % self._partitions != partition:
                self.elsewhere[name][topic] = self.elsewhere[name].get(topic, 0) + 1

    def partitioner(self) -> Name:
        """Return the way that explains every key; the first one, where several do. Raises Unexplained."""
        for name, elsewhere in self.elsewhere.items():
            if not elsewhere:
                return name
        mismatches = "; ".join(
            f"{name} puts {', '.join(f'{count:,} of {topic}' for topic, count in wrong.items())} elsewhere"
            for name, wrong in self.elsewhere.items()
        )
        raise Unexplained(f"no partitioner explains where the {self.keys:,} keyed records are: {mismatches}")
