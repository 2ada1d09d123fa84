"""A client is given up when new ones get through, and not before."""

from __future__ import annotations

import pytest

from streams.kafka.stuck_client import AFTER_S, AGAIN_S, ClientStuck, Patience


class Broker:
    """The test's own: whether a new client gets through, how often that was asked, and what the clock says."""

    def __init__(self) -> None:
        self.up = True
        self.asked = 0
        self.clock_s = 0.0

    def probe(self) -> bool:
        self.asked += 1
        return self.up


def after(patience: Patience, broker: Broker, seconds: float) -> None:
    broker.clock_s += seconds
    patience.failed("has waited")


def test_a_client_is_given_up_when_two_new_ones_got_through() -> None:
    broker = Broker()
    patience = Patience("scorer", broker.probe, lambda: broker.clock_s)
    after(patience, broker, AFTER_S - 1)
    assert broker.asked == 0
    after(patience, broker, 2)
    after(patience, broker, AGAIN_S / 2)
    assert broker.asked == 1
    with pytest.raises(ClientStuck, match=r"scorer: has waited for \d+ s, and new clients get through"):
        after(patience, broker, AGAIN_S)


def test_as_long_as_nobody_gets_through_it_is_waited_for() -> None:
    broker = Broker()
    broker.up = False
    patience = Patience("scorer", broker.probe, lambda: broker.clock_s)
    for _ in range(20):
        after(patience, broker, AFTER_S)
    assert broker.asked == 20
    broker.up = True
    after(patience, broker, AGAIN_S)
    broker.up = False
    after(patience, broker, AGAIN_S)
    broker.up = True
    after(patience, broker, AGAIN_S)
    with pytest.raises(ClientStuck):
        after(patience, broker, AGAIN_S)
