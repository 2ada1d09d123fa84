"""The peers compute what the transform does, and a peer that does not is found out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from benchmarks.rolling import agreement, by_pandas, subset
from benchmarks.rolling.by_polars import rolling
from benchmarks.transform import events, measure
from benchmarks.transform.events import Stream
from features.history.row_layout import COLUMNS_A_SUBJECT, ROW_BYTES


@pytest.fixture(scope="module")
def stream() -> Stream:
    return events.simulated(subjects=12, days=120, daily=1.0)


def test_every_peer_agrees_with_the_transform(stream: Stream) -> None:
    assert subset.names() == measure.SHARED
    wanted = stream.subject < 8
    row, mine = measure.ours(stream, 2, 100, wanted)
    assert (row.warm_events, row.events_a_second.n) == (len(stream) - 200, 2)
    assert mine.shape == (wanted.sum(), len(measure.SHARED))
    peers = [*measure.pandas_peers(stream, wanted, mine, 1), *measure.river_peers(stream, wanted, mine, 300, 3)]
    assert [peer.agreement.columns for peer in peers] == [49, 49, 42, 42]
    assert all(peer.agreement.differing == 0 for peer in peers)
    assert all(peer.agreement.values > 5_000 for peer in peers)
    assert [(peer.tuned, peer.events, peer.ours.n) for peer in peers] == [
        *[(False, wanted.sum(), 1), (True, wanted.sum(), 1)],
        *[(False, 300, 3), (True, 300, 3)],
    ]


def test_a_cards_state_is_weighed_where_all_cards_are_alike() -> None:
    size = measure.state_bytes(200)
    assert size > 60 * ROW_BYTES + 8 * COLUMNS_A_SUBJECT
    assert size < 1.2 * (60 * ROW_BYTES + 8 * COLUMNS_A_SUBJECT)


def test_polars_agrees_where_no_two_payments_of_a_card_share_a_time(stream: Stream) -> None:
    wanted = np.ones(len(stream), dtype=np.bool_)
    _, mine = measure.ours(stream, 1, 100, wanted)
    frame = pl.DataFrame(
        {
            "row": np.arange(len(stream)),
            "card": stream.subject,
            "time": stream.columns.event_time_ms.astype("datetime64[ms]"),
            "amount": stream.columns.measure / 100.0,
        }
    )
    features = rolling(frame).sort("row")
    theirs = {name: features[name].to_numpy() for name in subset.names()}
    assert agreement.compare(dict(zip(measure.SHARED, mine.T, strict=True)), theirs).differing == 0


def test_both_pandas_styles_keep_the_order_of_the_events() -> None:
    times = pd.to_datetime([0, 60, 61, 700, 720], unit="s")
    frame = pd.DataFrame({"card": [2, 1, 2, 2, 1], "time": times, "amount": [1.0, 10.0, 2.0, 4.0, 30.0]}, index=[5, 3, 1, 4, 2])
    for style in (by_pandas.customer_by_customer, by_pandas.grouped):
        features = style(frame)
        assert features.index.tolist() == [5, 3, 1, 4, 2]
        assert features["sum_1h"].tolist() == [1.0, 10.0, 3.0, 7.0, 40.0]
        assert features["count_10m"].tolist() == [1.0, 1.0, 2.0, 1.0, 1.0]
        assert features["ratio_to_mean_1h"].tolist()[2:] == [2.0, 4.0 / 1.5, 3.0]


def test_relations_are_those_of_the_earlier_ones() -> None:
    amounts = np.array([3.0, 5.0, 10.0, 4.0])
    n = np.arange(1.0, 5.0)
    mean, std = (np.array([of(amounts[: i + 1]) for i in range(4)]) for of in (np.mean, np.std))
    ratio, zscore = subset.relations(amounts, n, mean, std)
    assert np.isnan(ratio[0])
    assert np.isnan(zscore[:2]).all()
    assert ratio[3] == pytest.approx(4.0 / 6.0)
    assert zscore[3] == pytest.approx((4.0 - 6.0) / np.std(amounts[:3]))


def test_a_peer_that_computes_something_else_is_refused() -> None:
    ours = {"sum_1h": np.arange(3_000.0), "count_1h": np.ones(3_000)}
    theirs = {"sum_1h": ours["sum_1h"] * 1.00005, "count_1h": np.ones(3_000)}
    theirs["count_1h"][:2] = 2.0
    comparison = agreement.compare(ours, theirs)
    assert (comparison.columns, comparison.values, comparison.differing, comparison.worst) == (2, 6_000, 2, "sum_1h")
    assert comparison.largest == pytest.approx(5e-5, rel=1e-2)
    with pytest.raises(ValueError, match=r"3,001 of 6,000 values differ, in sum_1h \(2,999\), count_1h \(2\)"):
        agreement.compare(ours, theirs | {"sum_1h": ours["sum_1h"] * 1.001})
    with pytest.raises(ValueError, match="share no column"):
        agreement.compare(ours, {"max_1h": np.ones(3)})


def test_a_stream_that_is_too_short_is_refused(stream: Stream) -> None:
    with pytest.raises(ValueError, match="--events: simulated, 12 cards has 1,440 events; measure fewer than 2,000"):
        measure.ours(stream, 2, 1_000)
