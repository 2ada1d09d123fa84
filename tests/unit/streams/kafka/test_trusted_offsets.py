"""What a coordinator says is held against what is known: an old answer is asked again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streams.kafka import stuck_client, trusted_offsets
from streams.kafka.stuck_client import ClientStuck
from streams.kafka.transactions import Stopped
from streams.kafka.trusted_offsets import Told

PLACE = ("t", 0)


class Coordinator:
    """Answers one after the other; the test's stand-in for a broker that forgets, which cannot be had on demand."""

    def __init__(self, *answers: int | KafkaError) -> None:
        self._answers: Iterator[int | KafkaError] = iter(answers)
        self.asked = 0
        self.end = 100

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        self.asked += 1
        answer = next(self._answers)
        if isinstance(answer, KafkaError):
            raise KafkaException(answer)
        return [TopicPartition(tp.topic, tp.partition, answer) for tp in partitions]

    def get_watermark_offsets(self, place: TopicPartition, timeout: float) -> tuple[int, int]:
        return 0, self.end


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trusted_offsets, "_AGAIN_S", 0.001)


def ask(member: Told, coordinator: Coordinator, snapshot: int = 0) -> int:
    partitions = member.committed(cast("Consumer", coordinator), [TopicPartition(*PLACE)], lambda place, committed: snapshot)
    return int(partitions[0].offset)


def test_an_answer_is_taken_as_it_is_where_nothing_speaks_against_it() -> None:
    member = Told("m", threading.Event())
    assert ask(member, Coordinator(-1001)) == -1001
    assert ask(member, Coordinator(5), snapshot=5) == 5
    assert member.committed(cast("Consumer", Coordinator()), [], lambda place, committed: 9) == []
    assert member.doubt is None


def test_an_answer_behind_what_was_committed_here_is_asked_again() -> None:
    member = Told("m", threading.Event())
    assert ask(member, Coordinator(10)) == 10
    member.note({PLACE: 70})
    coordinator = Coordinator(10, -1001, 69, 70)
    assert ask(member, coordinator) == 70
    assert coordinator.asked == 4


def test_an_answer_behind_a_snapshot_is_asked_again_and_told() -> None:
    stop = threading.Event()
    member, coordinator = Told("m", stop), Coordinator(*[10] * 100_000)

    def wait() -> None:
        with pytest.raises(Stopped):
            ask(member, coordinator, snapshot=70)

    thread = threading.Thread(target=wait)
    thread.start()
    while coordinator.asked < 3:
        assert thread.is_alive()
    assert member.doubt is not None
    assert "t[0] is committed up to 10, and there is a snapshot of what was committed up to 70" in member.doubt
    assert "restart the broker" in member.doubt
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_broker_that_is_away_is_asked_again_and_a_refusal_is_raised() -> None:
    away = KafkaError(KafkaError._TIMED_OUT), KafkaError(KafkaError._TRANSPORT), KafkaError(KafkaError.NOT_COORDINATOR)
    member = Told("m", threading.Event())
    assert ask(member, Coordinator(*away, 7)) == 7
    with pytest.raises(KafkaException, match="GROUP_AUTHORIZATION_FAILED"):
        ask(member, Coordinator(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)))


def test_nothing_is_believed_only_when_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trusted_offsets, "_AGAIN_S", 0.02)
    monkeypatch.setattr(trusted_offsets, "_SAME_S", 0.1)
    loading = Coordinator(-1001, -1001, 40, 60, *[90] * 100)
    assert ask(Told("m", threading.Event(), new_s=0.2), loading) == 90
    assert loading.asked > 6
    new = Coordinator(*[-1001] * 100)
    assert ask(Told("m", threading.Event(), new_s=0.2), new) == -1001
    assert new.asked > 3


def test_nothing_is_believed_at_once_where_there_is_nothing_to_read_or_no_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trusted_offsets, "_AGAIN_S", 60.0)
    empty = Coordinator(-1001)
    empty.end = 0
    member = Told("m", threading.Event(), new_s=60.0)
    assert ask(member, empty) == -1001
    assert ask(member, Coordinator(5)) == 5
    assert ask(Told("m", threading.Event(), new_s=60.0), Coordinator(5)) == 5


def test_the_time_without_an_answer_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trusted_offsets, "_AGAIN_S", 0.02)
    monkeypatch.setattr(trusted_offsets, "_SAME_S", 0.1)
    away = KafkaError(KafkaError._TIMED_OUT)
    loading = Coordinator(*[away] * 20, -1001, -1001, 40, *[90] * 100)
    assert ask(Told("m", threading.Event(), new_s=0.2), loading) == 90


def test_a_client_that_alone_gets_no_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stuck_client, "AFTER_S", 0.0)
    monkeypatch.setattr(stuck_client, "AGAIN_S", 0.0)
    away = KafkaError(KafkaError._TIMED_OUT)
    assert ask(Told("m", threading.Event(), probe=lambda: False), Coordinator(*[away] * 50, 7)) == 7
    with pytest.raises(ClientStuck, match="m: has waited for what its group has committed"):
        ask(Told("m", threading.Event(), probe=lambda: True), Coordinator(away, away, 7))
