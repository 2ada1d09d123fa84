"""Which labels are taken, and which were when their log is read again."""

from __future__ import annotations

import msgspec

from features.base.events import DeadLetter
from streams.engine.repartition_header import Copied, negative
from streams.engine.settings_history import Since
from streams.labels.label_intake import JoinLimits, LabelIntake
from tests.unit.streams.records import HOUR, T0, ahead, label, record


def test_labels_are_taken_in_order_and_each_other_one_is_a_dead_letter() -> None:
    records = [record("labels", 0, label("x", T0, True, T0)), record("labels", 1, b"{"), ahead(2), ahead(3, "y", by=HOUR)]
    taken, labels, dead, _ = LabelIntake(HOUR).take(records)
    assert taken == [records[0], records[3]]
    assert [label.event_id for label in labels] == ["x", "y"]
    letters = [msgspec.json.decode(letter.value, type=DeadLetter) for letter in dead]
    assert [(letter.processor, letter.offset, letter.error) for letter in letters] == [
        ("label-joiner", 1, "DecodeError"),
        ("label-joiner", 2, "EventAhead"),
    ]


def test_without_a_history_the_limit_of_now_counts() -> None:
    intake = LabelIntake(HOUR)
    assert intake.again([ahead(4)]) == ([], [])
    intake.decided(("labels", 0), (Since(0, JoinLimits(HOUR, 0)), Since(5, JoinLimits(HOUR, HOUR))))
    assert intake.again([ahead(4), ahead(5)])[0] == [ahead(4)]
    intake.forget([("labels", 0)])
    assert intake.again([ahead(4)]) == ([], [])


def test_a_copy_was_taken_and_a_header_of_a_producer_says_nothing() -> None:
    """Copies of a repartition are read again, never processed; behind where they end, the header is somebody else's."""
    marked = msgspec.structs.replace(ahead(3), headers=[Copied().header()])
    assert [len(of) for of in LabelIntake(HOUR).take([marked])] == [0, 0, 1, 0]
    assert LabelIntake(HOUR).again([negative(marked, end=4)])[0] == [marked]
    assert LabelIntake(HOUR).again([negative(marked, end=3)])[0] == []
