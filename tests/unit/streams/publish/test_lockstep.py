from __future__ import annotations

from streams.publish.lockstep import Lag, lags


def test_who_lags_where_and_by_how_many() -> None:
    positions = {"scorer": {("transactions", 0): 10, ("transactions", 1): 7}, "archive": {("scores", 0): 3}}
    ends = {("transactions", 0): 10, ("transactions", 1): 9, ("scores", 0): 4}
    laggards = lags(positions, ends)
    assert laggards == [Lag("scorer", "transactions", 1, 7, 9), Lag("archive", "scores", 0, 3, 4)]
    assert str(laggards[0]) == "scorer lags on transactions[1] by 2 (at 7 of 9)"
    assert lags({"scorer": {("transactions", 0): 11}}, {("transactions", 0): 10}) == []
