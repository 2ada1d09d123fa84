"""Whatever keeps offsets from being sent is told: they must not count as sent."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from streams.kafka.transactions import Transactions


@pytest.mark.parametrize("kind", [RuntimeError, ValueError])
def test_any_failure_of_the_call_is_raised(kind: type[Exception]) -> None:
    def fails(*_: object) -> None:
        raise kind("Producer has been closed")

    producer: Any = SimpleNamespace(send_offsets_to_transaction=fails)
    transactions = Transactions(lambda: producer, "one", threading.Event(), list)
    with pytest.raises(kind, match="has been closed"):
        transactions._send_offsets([], None)
