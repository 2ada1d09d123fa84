"""A broker that takes its partitions up again is asked until it answers; any other refusal is raised."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from features.base.settings import Settings
from streams.kafka import clients, end_offsets
from streams.kafka.end_offsets import Ends

PLACE = ("scores", 0)


class Admins:
    """Clients of which each gives the next answer: an offset, or the code of a refusal."""

    def __init__(self, *answers: int | tuple[int]) -> None:
        self.answers, self.made = list(answers), 0

    def make(self, _settings: Settings, **_extra: Any) -> Any:
        self.made += 1
        return SimpleNamespace(list_offsets=self._list)

    def _list(self, asked: dict[TopicPartition, Any], **_: Any) -> dict[TopicPartition, Future[Any]]:
        answer: Future[Any] = Future()
        given = self.answers.pop(0)
        if isinstance(given, int):
            answer.set_result(SimpleNamespace(offset=given))
        else:
            answer.set_exception(KafkaException(KafkaError(given[0])))
        return dict.fromkeys(asked, answer)


@pytest.fixture(autouse=True)
def _no_nap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(end_offsets, "NAP_S", 0.0)


def ends(monkeypatch: pytest.MonkeyPatch, timeout_s: float, *answers: int | tuple[int]) -> tuple[Ends, Admins]:
    admins = Admins(*answers)
    monkeypatch.setattr(clients, "admin", admins.make)
    return Ends(Settings(), timeout_s), admins


def test_a_refusal_is_asked_about_once_more_by_a_new_client(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, admins = ends(monkeypatch, 0.0, (KafkaError.FENCED_LEADER_EPOCH,), 7)
    assert reader.read([PLACE]) == {PLACE: 7}
    assert admins.made == 2


def test_a_broker_that_takes_its_partitions_up_is_asked_until_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = [
        (KafkaError.FENCED_LEADER_EPOCH,),
        *[(KafkaError.UNKNOWN_LEADER_EPOCH,)] * 3,
        (KafkaError.NOT_LEADER_FOR_PARTITION,),
    ]
    reader, admins = ends(monkeypatch, 30.0, *refusals, 7)
    assert reader.read([PLACE]) == {PLACE: 7}
    assert admins.made == 6


@pytest.mark.parametrize(
    ("timeout_s", "code"), [(-1.0, KafkaError.UNKNOWN_LEADER_EPOCH), (30.0, KafkaError.TOPIC_AUTHORIZATION_FAILED)]
)
def test_what_does_not_pass_is_raised(monkeypatch: pytest.MonkeyPatch, timeout_s: float, code: int) -> None:
    reader, admins = ends(monkeypatch, timeout_s, (code,), (code,), 7)
    with pytest.raises(KafkaException) as raised:
        reader.read([PLACE])
    assert raised.value.args[0].code() == code
    assert admins.made == 2
