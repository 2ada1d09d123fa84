"""What is computed at read: the customer and terminal columns of the vector, as of one transaction.

The values are those of the scorer, by its own function (``features.transform.profiles.fill``) and with its own limits of age.
Feast's answer holds the newest rows; tiles are read as of the event all the same, since they hold their history.

Request data may be unknown: latitude and longitude NaN, merchant category empty. Where all are unknown in one call, None will not
do: Feast cannot tell the type.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from feast import FeatureView, Field, OnDemandFeatureView, RequestSource
from feast.types import Float32, Float64, Int64, String
from numpy.typing import NDArray

from features.base import names
from features.base.events import Transaction
from features.base.settings import Settings
from features.catalogue.vector import FEATURES, N_STREAM, NAMES, WIDTH, vector_schema
from features.feast_repo.entities import OWNER
from features.online.age_limits import Limits, customer_limits
from features.transform.columns import from_transactions
from features.transform.counterpart_tiles import COLUMNS, Tiles, empty
from features.transform.fill import fill
from features.transform.profiles import PROFILE_WIDTH, USUAL_WIDTH, Profiles, unknown

NAME = "read_time"
#: The columns of the vector that it returns, in their order.
COMPUTED = FEATURES[N_STREAM:]

REQUEST = RequestSource(
    name="transaction",
    schema=[
        Field(name="event_time_ms", dtype=Int64, description="when it was paid", tags={"unit": "ms since 1970, UTC"}),
        Field(name="amount_minor", dtype=Int64, description="what was paid", tags={"unit": "minor units"}),
        Field(name="latitude", dtype=Float64, description="where; NaN if unknown", tags={"unit": "degrees"}),
        Field(name="longitude", dtype=Float64, description="where; NaN if unknown", tags={"unit": "degrees"}),
        Field(name="merchant_category", dtype=String, description="for what; empty if unknown", tags={"unit": "code"}),
    ],
    description="The transaction that is asked about; its card and terminal are the entities",
    owner=OWNER,
    tags={"topic": "transactions", "clock": "event time"},
)
names.check(f"{__name__}.REQUEST", (f.name for f in REQUEST.schema), Transaction.__struct_fields__, "field of Transaction")


def read_time(settings: Settings, terminal_risk: FeatureView, customer_profile: FeatureView) -> OnDemandFeatureView:
    """The view. The settings that its values depend on are part of it: Feast sees when they change."""
    schema = vector_schema(settings.features)
    delay_ms, step_hours, limits = settings.labels.delay_ms, settings.labels.step_hours, customer_limits(settings.feast)

    def transform(inputs: pd.DataFrame) -> pd.DataFrame:
        return compute(inputs, delay_ms, step_hours, limits)

    return OnDemandFeatureView(
        name=NAME,
        sources=[REQUEST, terminal_risk[["tiles"]], customer_profile[["profile", "usual", "as_of_ms"]]],
        # No description or tags here: Feast loses those of an on-demand view's fields in its registry, and then finds that the
        # fields of a service are not the view's.
        schema=[Field(name=feature.name, dtype=Float32) for feature in COMPUTED],
        mode="pandas",
        udf=transform,
        # Feast compares two versions of the view by this text, and neither by the fields nor by what the function encloses.
        udf_string=f"features.feast_repo.read_time.compute(inputs, {delay_ms=}, {step_hours=}, {limits=})  # {schema}",
        description="The customer and terminal columns of the vector, as of the transaction; docs/features.md has their meaning",
        owner=OWNER,
        tags={"writer": "none: computed at read", "topic": "none", "clock": "event time", "schema": schema}
        | {f"unit.{feature.name}": feature.unit for feature in COMPUTED},
    )


def compute(inputs: pd.DataFrame, delay_ms: int, step_hours: int, limits: Limits) -> pd.DataFrame:
    """``COMPUTED`` of n transactions, float32, from Feast's rows: the columns of ``REQUEST``, ``terminal_id``, and what the two
    views hold (null where they hold nothing). Arrays of another length than today's count as missing, as for the scorer.
    """
    if "terminal_id" not in inputs:  # when it is registered: Feast tries the function on made-up values, without the entities
        inputs = inputs.assign(terminal_id="")
    batch = from_transactions([_transaction(row) for row in inputs.itertuples()])
    as_of = np.array([0 if pd.isna(time_ms) else int(time_ms) for time_ms in inputs["as_of_ms"]], dtype=np.int64)
    stale, future = limits.judge(as_of, batch.event_time_ms)
    profiles = _profiles(inputs, np.where(stale | future, 0, as_of))
    vectors = np.zeros((len(inputs), WIDTH), dtype=np.float32)
    fill(vectors, batch, profiles, delay_ms, step_hours)
    return pd.DataFrame({name: vectors[:, N_STREAM + i] for i, name in enumerate(NAMES[N_STREAM:])})


def _transaction(row: Any) -> Transaction:
    return Transaction(
        transaction_id="",
        event_time_ms=int(row.event_time_ms),
        card_id="",
        terminal_id=row.terminal_id,
        amount_minor=int(row.amount_minor),
        latitude=_number(row.latitude),
        longitude=_number(row.longitude),
        merchant_category=row.merchant_category or None,
    )


def _number(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)


def _profiles(inputs: pd.DataFrame, as_of: NDArray[np.int64]) -> Profiles:
    found = unknown(len(inputs))
    for row, (time_ms, profile, usual) in enumerate(zip(as_of, inputs["profile"], inputs["usual"], strict=True)):
        if time_ms and _has(profile, PROFILE_WIDTH):
            found.customer[row] = profile
            if _has(usual, USUAL_WIDTH):
                found.usual[row] = usual
    tiles = [_tiles(cell) for cell in inputs["tiles"]]
    lengths = np.array([len(rows) for rows in tiles], dtype=np.int64)
    end = np.cumsum(lengths)
    return replace(found, customer_ts_ms=as_of, tiles=np.concatenate([empty(), *tiles]), begin=end - lengths, end=end)


def _has(cell: Any, length: int) -> bool:
    return cell is not None and np.shape(cell) == (length,)


def _tiles(cell: Any) -> Tiles:
    flat = np.asarray([] if cell is None else cell, dtype=np.int64)
    return flat.reshape(-1, COLUMNS) if flat.ndim == 1 and flat.size % COLUMNS == 0 else empty()
