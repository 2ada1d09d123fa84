"""How producers spread keys over partitions.

| name | who spreads so | partition of a key |
| --- | --- | --- |
| ``murmur2`` | Java's clients, kafkajs, librdkafka's ``murmur2`` and ``murmur2_random`` | murmur2(key) & 0x7fffffff mod n |
| ``crc32`` | librdkafka's default: ``consistent_random``, and ``consistent`` | crc32(key) mod n |
| ``fnv1a`` | Sarama (Go), and the ``Hash`` balancer of kafka-go | FNV-1a(key), as a signed number, mod n, without its sign |

A platform's subjects are spread by one of the first two (the setting ``partitioner``); the third is only recognised.

Sources: Apache Kafka, ``BuiltInPartitioner.partitionForKey``; librdkafka, ``rdkafka_msg.c``; Sarama, ``partitioner.go``; FNV:
Fowler, Noll, Vo (RFC 9923).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.base.compiled import compiled_cached

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


HASHES: dict[Name, Callable[[bytes], int]] = {"murmur2": _murmur2, "crc32": zlib.crc32}


def fnv1a_partition(key: bytes, partitions: int) -> int:
    """Return where Sarama's default partitioner puts a key."""
    hashed = 0x811C9DC5
    for byte in key:
        hashed = (hashed ^ byte) * 0x01000193 & _BITS
    signed = hashed - 2**32 if hashed >= 2**31 else hashed
    return abs(signed) % partitions


#: What librdkafka calls them, for records with and without a key.
SETTING: dict[Name, str] = {"murmur2": "murmur2_random", "crc32": "consistent_random"}
#: The partition of a key among so many, by each way that is known, in the order in which they are looked for.
KNOWN: dict[str, Callable[[bytes, int], int]] = {
    "murmur2": lambda key, partitions: _murmur2(key) % partitions,
    "crc32": lambda key, partitions: zlib.crc32(key) % partitions,
    "fnv1a": fnv1a_partition,
}


def spread(name: Name, keys: Sequence[bytes], partitions: int) -> NDArray[np.int64]:
    """Return the partition of each of n keys, int64 [n]. A hundred nanoseconds a key: the scorer asks for each event."""
    if name == "crc32":
        return np.fromiter(map(zlib.crc32, keys), dtype=np.int64, count=len(keys)) % partitions
    ends = np.cumsum(np.fromiter(map(len, keys), dtype=np.int64, count=len(keys)))
    partition = np.empty(len(keys), dtype=np.int64)
    _murmur2_all(np.frombuffer(b"".join(keys), dtype=np.uint8), ends, partitions, partition)
    return partition


@compiled_cached
def _murmur2_all(data: NDArray[np.uint8], ends: NDArray[np.int64], partitions: int, partition: NDArray[np.int64]) -> None:
    # Signed 64-bit numbers throughout: a product of two 32-bit numbers overflows them, and its lower 32 bits are right even so.
    begin = 0
    for row in range(len(ends)):
        end = ends[row]
        hashed = 0x9747B28C ^ (end - begin)
        at = begin
        while at + 4 <= end:
            word = np.int64(data[at]) | np.int64(data[at + 1]) << 8 | np.int64(data[at + 2]) << 16 | np.int64(data[at + 3]) << 24
            word = word * _MIX & _BITS
            hashed = hashed * _MIX & _BITS ^ (word ^ word >> 24) * _MIX & _BITS
            at += 4
        if at < end:
            shift = 0
            while at < end:
                hashed ^= np.int64(data[at]) << shift
                shift += 8
                at += 1
            hashed = hashed * _MIX & _BITS
        hashed = (hashed ^ hashed >> 13) * _MIX & _BITS
        partition[row] = ((hashed ^ hashed >> 15) & 0x7FFFFFFF) % partitions
        begin = end
