"""Where a letter that is sent again goes: to the partition in which its key's other records are."""

from __future__ import annotations

import pytest

from features.archive.generations import Generation, Generations
from features.base.events import DeadLetter
from infra.dead_letters.operator import place
from streams.kafka.partitioners import HASHES, Name

KEY = b"c1"


def letter(topic: str, partition: int, key: bytes | None = KEY) -> DeadLetter:
    return DeadLetter(topic, partition, 7, "scorer", "E", "m", b"{}", key)


def generations(partitioner: Name = "murmur2") -> Generations:
    return Generations((Generation(1, 6, 0, 0, "murmur2"), Generation(2, 8, 0, 0, partitioner)))


@pytest.mark.parametrize("key", [KEY, None])
def test_a_letter_goes_where_its_producer_had_put_it(key: bytes | None) -> None:
    """By whatever partitioner: by another, a card's payments would lie in two partitions."""
    for partition in range(4):
        assert place(letter("transactions", partition, key), 0, Generations()) == partition
        assert place(letter("transactions", partition, key), 2, generations()) == partition


@pytest.mark.parametrize("partitioner", ["murmur2", "crc32"])
def test_after_a_repartition_it_goes_where_its_key_is_now(partitioner: Name) -> None:
    current = generations(partitioner)
    assert place(letter("transactions", 3), 1, current) == HASHES[partitioner](KEY) % 8
    assert place(letter("outcomes", 3), 0, current) == HASHES["murmur2"](KEY) % 8
    assert place(letter("transactions", 3, None), 1, current) == -1


def test_a_topic_of_one_partition_is_not_spread() -> None:
    assert place(letter("drift-reports", 0), 0, generations()) == 0
