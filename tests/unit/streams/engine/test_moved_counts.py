"""Who puts records elsewhere, and how."""

from __future__ import annotations

import logging

import pytest

from streams.engine import metrics
from streams.engine.homes import Homes, Stray
from streams.engine.moved_counts import CLIENT_HEADER, MOST_CLIENTS, OTHERS, UNNAMED, MovedCounts
from streams.kafka.partitioners import KNOWN, fnv1a_partition
from streams.kafka.records import Record

PARTITIONS = 7


def record(partition: int, key: bytes | None, client: bytes | None = None) -> Record:
    headers = [(CLIENT_HEADER, client)] if client is not None else []
    return Record("transactions", partition, 0, key, b"{}", list(headers))


@pytest.mark.parametrize("way", ["crc32", "fnv1a"])
def test_a_way_is_known_by_where_the_key_lies(way: str) -> None:
    counts = MovedCounts(Homes("murmur2", PARTITIONS))
    places = {name: place(b"card-1", PARTITIONS) for name, place in KNOWN.items()}
    assert len(set(places.values())) == 3, "the key tells the three apart"
    assert counts.came_by(record(places[way], b"card-1"), b"card-1") == way


def test_records_without_their_subject_for_a_key_are_told_apart() -> None:
    counts = MovedCounts(Homes("murmur2", PARTITIONS))
    assert counts.came_by(record(1, None), b"c") == "no key"
    assert counts.came_by(record(1, b""), b"c") == "no key"
    assert counts.came_by(record(1, b"merchant"), b"c") == "another key"
    taken = {place(b"c", PARTITIONS) for place in KNOWN.values()}
    assert counts.came_by(record(next(p for p in range(PARTITIONS) if p not in taken), b"c"), b"c") == "unknown"


def test_fnv1a_is_that_of_its_authors() -> None:
    """Test vectors of FNV-1a, 32 bits: of "" 0x811c9dc5, of "a" 0xe40c292c, of "foobar" 0xbf9cf968."""
    many = 2**31 - 1
    for data, hashed in ((b"", 0x811C9DC5), (b"a", 0xE40C292C), (b"foobar", 0xBF9CF968)):
        assert fnv1a_partition(data, many) == (2**32 - hashed) % many


def test_moves_are_counted_by_topic_way_and_client_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    counts = MovedCounts(Homes("murmur2", PARTITIONS))
    labels = ("transactions", "no key", "pos-gateway")
    before = metrics.MOVED.labels(*labels)._value.get()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            for count in counts.count([Stray(record(1, None, b"pos-gateway"), b"c")] * 3):
                count()
    assert metrics.MOVED.labels(*labels)._value.get() == before + 6
    assert len(caplog.records) == 1
    assert "no key, client pos-gateway" in caplog.text


def test_the_number_of_clients_on_the_page_is_bounded() -> None:
    counts = MovedCounts(Homes("murmur2", PARTITIONS))
    names = [counts._client(record(1, None, b"client-%d" % n)) for n in range(MOST_CLIENTS + 3)]
    assert names[MOST_CLIENTS - 1] == f"client-{MOST_CLIENTS - 1}"
    assert names[MOST_CLIENTS:] == [OTHERS] * 3
    assert counts._client(record(1, None)) == UNNAMED
    assert counts._client(record(1, None, b"\xff" * 100)) == OTHERS
