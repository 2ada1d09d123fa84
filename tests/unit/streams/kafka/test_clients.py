"""What a user sets reaches every client, but for what exactly-once rests on."""

from __future__ import annotations

from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, KafkaException

from features.base.settings import Settings, SettingsError
from streams.kafka import clients

SET = {"session.timeout.ms": "45000", "fetch.wait.max.ms": "500", "compression.type": "zstd", "linger.ms": "7"}
KEPT = {"enable.auto.commit": "true", "isolation.level": "read_uncommitted", "enable.idempotence": "false", "group.id": "mine"}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the clients are made with; none is."""
    seen: list[dict[str, Any]] = []
    for name in ("Consumer", "Producer"):
        monkeypatch.setattr(clients, name, seen.append)
    return seen


def test_what_we_chose_gives_way_to_what_is_set(made: list[dict[str, Any]]) -> None:
    settings = Settings(kafka=SET)
    clients.consumer(settings, "g")
    clients.producer(settings, "t")
    assert [options[name] for options in made for name in ("session.timeout.ms", "linger.ms")] == ["45000", "7"] * 2
    assert made[0]["fetch.wait.max.ms"] == "500"
    assert made[1]["compression.type"] == "zstd"


def test_what_exactly_once_rests_on_stays(made: list[dict[str, Any]]) -> None:
    settings = Settings(kafka=KEPT)
    clients.consumer(settings, "g")
    clients.producer(settings, "t")
    assert (made[0]["enable.auto.commit"], made[0]["isolation.level"], made[0]["group.id"]) == (False, "read_committed", "g")
    assert (made[1]["enable.idempotence"], made[1]["transactional.id"]) == (True, "t")


def test_a_setting_that_no_client_takes_is_named() -> None:
    with pytest.raises(SettingsError, match=r"\[kafka\] holds a setting that its client does not take"):
        clients.consumer(Settings(kafka={"no.such": "1"}), "g")


class Refusing(confluent_kafka.Producer):
    """A producer whose first call to the broker fails so."""

    code = KafkaError.INVALID_TRANSACTION_TIMEOUT

    def init_transactions(self, timeout: float = -1) -> None:
        raise KafkaException(KafkaError(self.code, "Failed to acquire transactional PID from broker", fatal=True))


class Refused(clients.Producer, Refusing):
    pass


def test_a_time_out_that_the_broker_does_not_take_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "Producer", Refused)
    sender = clients.producer(Settings(bootstrap_servers="127.0.0.1:1", kafka={"transaction.timeout.ms": "1000000"}), "t")
    with pytest.raises(SettingsError, match=r"kafka\.transaction\.timeout\.ms .* lower it"):
        sender.init_transactions(1)
    monkeypatch.setattr(Refusing, "code", KafkaError.INVALID_PRODUCER_EPOCH)
    with pytest.raises(KafkaException):
        sender.init_transactions(1)


def test_producers_tell_a_wrong_setting_from_a_broker_that_is_away() -> None:
    assert isinstance(clients.producer(Settings(bootstrap_servers="127.0.0.1:1"), "t"), clients.Producer)
