"""What one partition remembers, and when it forgets. The table of outcomes is tested in test_joiner."""

from __future__ import annotations

import msgspec
import pytest

from features.base.events import Label
from streams.labels.outcomes import JoinedEvent, JoinedScore
from streams.labels.partition_memory import LASTING_MS, PartitionMemory
from streams.labels.verdict import Verdict
from tests.unit.streams.records import DAY, HOUR, T0, label

DELAY = 7 * DAY


def scored(event_id: str, time: int) -> JoinedScore:
    return JoinedScore(JoinedEvent(event_id, T0 + time, "c", "t", 1234), score=0.25)


def positive(event_id: str, time: int) -> Label:
    return label(event_id, T0 + time, True, T0 + time + HOUR)


def negative(event_id: str, time: int) -> Label:
    return label(event_id, T0 + time, False, T0 + time + HOUR)


@pytest.fixture
def memory() -> PartitionMemory:
    return PartitionMemory(DELAY)


def take(memory: PartitionMemory, event_id: str, time: int) -> list[str]:
    """A score by itself, and time passes; return the ids of what is due."""
    assert memory.take_score(scored(event_id, time), False, None) is None
    return [outcome.event_id for outcome in memory.pass_time()]


def test_a_transaction_is_forgotten_two_delays_after_it(memory: PartitionMemory) -> None:
    take(memory, "x", 0)
    assert take(memory, "y", DELAY) == ["x"]
    assert memory.held == 2
    take(memory, "z", 2 * DELAY)
    assert set(memory.known) == {"y", "z"}


def test_while_the_log_is_read_again_what_a_label_decided_stays_until_new_records_come(memory: PartitionMemory) -> None:
    memory.restoring = True
    assert memory.take_label(negative("x", 0)) is None
    outcome = memory.take_score(scored("x", 0), False, None)
    assert outcome is not None
    assert outcome.source == "chargeback"
    take(memory, "y", 2 * DELAY)
    assert "x" in memory.known, "its label may have come late, and may come again"
    memory.go_on(DELAY)
    take(memory, "z", 4 * DELAY - 1)
    assert "x" in memory.known
    take(memory, "z2", 4 * DELAY)
    assert "x" not in memory.known


def test_the_delay_of_then_ends_where_the_log_does(memory: PartitionMemory) -> None:
    memory.delay, memory.restoring = 3 * DELAY, True
    assert take(memory, "x", 0) == []
    assert take(memory, "y", DELAY) == []
    memory.go_on(DELAY)
    assert take(memory, "z", DELAY + 1) == ["x"]


def test_copies_let_no_time_pass(memory: PartitionMemory) -> None:
    memory.take_score(scored("x", 0), True, None)
    memory.take_score(scored("y", DELAY), True, None)
    assert memory.pass_time() == []
    assert take(memory, "z", DELAY) == ["x"]


def test_a_copy_that_had_matured_has_its_outcome(memory: PartitionMemory) -> None:
    memory.take_score(scored("x", 0), True, T0)
    memory.take_score(scored("y", 1), True, T0)
    assert take(memory, "z", DELAY + 1) == ["y"]


def test_what_was_ever_positive_is_remembered_for_half_a_year_after_its_newest_label(memory: PartitionMemory) -> None:
    for name in ("x", "y"):
        memory.take_label(positive(name, 0))
        assert memory.take_score(scored(name, 0), False, None) is not None
    memory.take_label(msgspec.structs.replace(negative("y", 0), label_time_ms=T0 + 100 * DAY))
    take(memory, "z", LASTING_MS + HOUR - 1)
    assert set(memory.known) == {"x", "y", "z"}
    take(memory, "z2", LASTING_MS + HOUR)
    assert set(memory.known) == {"y", "z", "z2"}
    take(memory, "z3", LASTING_MS + 100 * DAY)
    assert "y" not in memory.known
    assert memory.lasting == []


def test_an_id_that_comes_again_after_it_was_forgotten_is_not_dropped_with_the_first(memory: PartitionMemory) -> None:
    memory.take_label(positive("x", 0))
    memory.take_score(scored("x", 0), False, None)
    take(memory, "y", LASTING_MS + DAY)
    take(memory, "x", LASTING_MS + 2 * DAY)
    memory.leaving.insert(0, (0, "x"))
    take(memory, "y2", LASTING_MS + 3 * DAY)
    assert memory.known["x"].verdict is None


@pytest.mark.parametrize("published", [False, True])
def test_a_label_without_score_gives_its_outcome_unless_the_old_partition_has(memory: PartitionMemory, published: bool) -> None:
    memory.take_label(positive("x", 0), published)
    assert take(memory, "y", DELAY + HOUR) == ([] if published else ["x"])
    assert memory.waiting == {}
    assert memory.known["x"].verdict == Verdict(True, T0 + HOUR, 1)
