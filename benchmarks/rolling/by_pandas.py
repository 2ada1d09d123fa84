"""The subset by pandas, in the two styles that people write."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.rolling.subset import WINDOWS, names, relations

#: What both take: columns card, time (datetime64) and amount (currency units), in the order of time.
Events = pd.DataFrame


def customer_by_customer(events: Events) -> pd.DataFrame:
    """The subset [n], in the order of ``events``: the Fraud Detection Handbook's style, a function applied to each customer."""
    parts = [_of_a_customer(rows) for _, rows in events.groupby("card")]
    return pd.concat(parts).loc[events.index, names()]


def _of_a_customer(rows: Events) -> pd.DataFrame:
    # The Handbook sorts each customer's rows and puts the time into the index, for rolling by time.
    rows = rows.sort_values("time", kind="stable")
    original, rows.index = rows.index, pd.DatetimeIndex(rows["time"])
    columns: dict[str, pd.Series[float]] = {}
    for name, length in WINDOWS.items():
        window = rows["amount"].rolling(length)
        count, mean, std = window.count(), window.mean(), window.std(ddof=0)
        columns |= {f"count_{name}": count, f"sum_{name}": window.sum(), f"mean_{name}": mean}
        columns |= {f"max_{name}": window.max(), f"std_{name}": std}
        ratio, zscore = relations(rows["amount"].to_numpy(), count.to_numpy(), mean.to_numpy(), std.to_numpy())
        columns |= {f"ratio_to_mean_{name}": pd.Series(ratio, rows.index), f"zscore_{name}": pd.Series(zscore, rows.index)}
    features = pd.DataFrame({key: column.to_numpy() for key, column in columns.items()})
    features.index = original
    return features


def grouped(events: Events) -> pd.DataFrame:
    """The same by one ``groupby().rolling()`` over all customers: fewer calls, more of the work in compiled code."""
    rows = events.sort_values(["card", "time"], kind="stable")
    original, rows.index = rows.index, pd.DatetimeIndex(rows["time"])
    amounts = rows.groupby("card")["amount"]
    columns: dict[str, NDArray[np.float64]] = {}
    for name, length in WINDOWS.items():
        window = amounts.rolling(length)
        count, mean, std = window.count().to_numpy(), window.mean().to_numpy(), window.std(ddof=0).to_numpy()
        columns |= {f"count_{name}": count, f"sum_{name}": window.sum().to_numpy(), f"mean_{name}": mean}
        columns |= {f"max_{name}": window.max().to_numpy(), f"std_{name}": std}
        ratio, zscore = relations(rows["amount"].to_numpy(), count, mean, std)
        columns |= {f"ratio_to_mean_{name}": ratio, f"zscore_{name}": zscore}
    return pd.DataFrame(columns, index=original).loc[events.index, names()]
