"""Which records lie elsewhere than their card's others, by the harness's own judgement, and whether each was moved, once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Set

from streams.engine.moved_header import MOVED_HEADER
from streams.kafka.partitioners import murmur2
from streams.kafka.records import Record

Log = dict[int, list[Record]]


def at_home(log: Log, malformed: Set[int] = frozenset()) -> Log:
    """The log without the records that are to be moved. What is ``malformed`` (hashes of values) stays where it is."""
    return {n: [record for record in records if not _astray(record, len(log), malformed)] for n, records in log.items()}


def moves(log: Log, malformed: Set[int] = frozenset()) -> tuple[dict[str, int], list[str]]:
    """Each record that lies elsewhere is in its card's partition once, as it was; and nothing else was moved."""
    astray = [r for records in log.values() for r in records if _astray(r, len(log), malformed)]
    wanted = Counter((record.partition, record.offset, record.value) for record in astray)
    made: Counter[tuple[int, int, bytes | None]] = Counter()
    wrong = []
    for records in log.values():
        for record in records:
            for name, value in record.headers:
                if name == MOVED_HEADER:
                    partition, offset, _, _, times = (int(part) for part in (value or b"").split(b","))
                    made[partition, offset, record.value] += 1
                    if times != 1 or _astray(record, len(log), malformed):
                        wrong.append(f"{record.topic}[{record.partition}] {record.offset} was moved {times} times, and not home")
    topic = next((record.topic for records in log.values() for record in records), "nothing")
    if made != wanted:
        wrong.append(f"{topic}: {sum(wanted.values())} records lie elsewhere than their card's, {sum(made.values())} were moved")
    return {f"{topic} moved": sum(made.values())}, wrong[:5]


def moved(record: Record) -> bool:
    """Whether a processor of ours wrote it."""
    return any(name == MOVED_HEADER for name, _ in record.headers)


def _astray(record: Record, partitions: int, malformed: Set[int]) -> bool:
    value = record.value or b""
    if hash(value) in malformed:
        return False
    card = json.loads(value)["card_id"].encode()
    return (murmur2(card) & 0x7FFFFFFF) % partitions != record.partition
