"""Whatever bytes come behind a schema's id: an event or one dead letter, which repeats nothing of them."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from features.base.events import DeadLetter, Event
from features.domains.card_fraud.event import Payment
from streams import topics
from streams.engine.codec import BatchDecoder
from streams.kafka.records import Record
from streams.wire.framing import SCHEMA_HEADER
from streams.wire.ours import FORMATS, Format
from tests.unit.streams.wire.source import T0, Schemas, wire, written

MARK = "4929123412341234"


@pytest.mark.parametrize("form", FORMATS)
def test_changed_bytes_are_an_event_or_one_dead_letter(form: Format, tmp_path: Path) -> None:
    source, draw = Schemas(), random.Random(7)
    schema = source.add(form)
    event = Payment(MARK, T0, MARK, MARK, 1250, "USD", 48.5, -11.25, MARK, MARK, "online", False)
    good = written(form, schema, event).value or b""
    records = []
    for offset in range(2000):
        value = bytearray(good)
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(len(value))
            value[at : at + draw.randint(0, 2)] = draw.randbytes(draw.randint(0, 3))
            value = value or bytearray(b"\0")
        header: list[tuple[str, bytes | None]] = (
            [(SCHEMA_HEADER, draw.randbytes(draw.choice((0, 1, 4, 5, 17, 30))))] if offset % 10 == 0 else []
        )
        records.append(Record(topics.EVENTS, 0, offset, b"k", bytes(value), header, T0))
    taken, events, dead = BatchDecoder(Event, "scorer", wire(tmp_path, source)).decode(records)
    assert len(taken) == len(events)
    assert len(events) + len(dead) == len(records)
    assert min(len(events), len(dead)) > 20
    for letter in dead:
        assert MARK not in msgspec.json.decode(letter.value, type=DeadLetter).message
