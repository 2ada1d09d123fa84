"""What is computed at read: the owner and counterpart columns of the vector, as of one transaction.

The values are those of the scorer, by its own function (``features.transform.profiles.fill``) and with its own limits of age.
Feast's answer holds the newest rows; tiles are read as of the event all the same, since they hold their history.

Request data may be unknown: latitude and longitude NaN, category empty. Where all are unknown in one call, None will not
do: Feast cannot tell the type.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from feast import FeatureView, Field, OnDemandFeatureView, RequestSource
from feast.types import Float32, Float64, Int64, String
from numpy.typing import NDArray

from features.base.active import DOMAIN, ROLES, WORDS
from features.base.event import Event
from features.base.settings import Settings
from features.catalogue.vector import FEATURES, N_STREAM, NAMES, WIDTH, vector_schema
from features.feast_repo.entities import OWNER
from features.online.age_limits import Limits, owner_limits
from features.transform.columns import from_events
from features.transform.counterpart_tiles import COLUMNS, Tiles, empty
from features.transform.fill import fill
from features.transform.profiles import PROFILE_WIDTH, USUAL_WIDTH, Profiles, unknown

NAME = "read_time"
#: The columns of the vector that it returns, in their order.
COMPUTED = FEATURES[N_STREAM:]

_KINDS = {"latitude": Float64, "longitude": Float64, "category": String}
#: The optional parts of an event that formulas of these columns read, by their names on the wire.
_OPTIONAL = {
    name: field.encode_name for field in msgspec.structs.fields(DOMAIN.event) for name in (field.name,) if name in _KINDS
}

#: In which measures are asked about: as they count (docs/money.md).
_PART = f"1/{DOMAIN.parameters.unit:g} of units.reference" if DOMAIN.unit_field else "its smallest unit"

REQUEST = RequestSource(
    name="transaction",
    schema=[
        Field(
            name=ROLES.time,
            dtype=Int64,
            description=f"time of the {WORDS.event}",
            tags={"unit": "ms since 1970, UTC"},
        ),
        Field(name=ROLES.measure, dtype=Int64, description=WORDS.measure, tags={"unit": _PART}),
        *(
            Field(name=wire, dtype=_KINDS[name], description=f"{name}; NaN or empty if unknown", tags={"unit": "as on the wire"})
            for name, wire in _OPTIONAL.items()
        ),
    ],
    description=f"The {WORDS.event} that is asked about; its {WORDS.subject} and {WORDS.counterpart} are the entities",
    owner=OWNER,
    tags={"topic": DOMAIN.topic, "clock": "event time"},
)


def read_time(settings: Settings, counterpart_risk: FeatureView, owner_profile: FeatureView) -> OnDemandFeatureView:
    """Build the view. The settings that its values depend on are part of it: Feast sees when they change."""
    schema = vector_schema(settings.features)
    delay_ms, step_hours, limits = settings.labels.delay_ms, settings.labels.step_hours, owner_limits(settings.feast)

    def transform(inputs: pd.DataFrame) -> pd.DataFrame:
        return compute(inputs, delay_ms, step_hours, limits)

    return OnDemandFeatureView(
        name=NAME,
        sources=[REQUEST, counterpart_risk[["tiles"]], owner_profile[["profile", "usual", "as_of_ms"]]],
        # No description or tags here: Feast loses those of an on-demand view's fields in its registry, and then finds that the
        # fields of a service are not the view's.
        schema=[Field(name=feature.name, dtype=Float32) for feature in COMPUTED],
        mode="pandas",
        udf=transform,
        # Feast compares two versions of the view by this text, and neither by the fields nor by what the function encloses.
        udf_string=f"features.feast_repo.read_time.compute(inputs, {delay_ms=}, {step_hours=}, {limits=})  # {schema}",
        description=f"The {WORDS.owner} and {WORDS.counterpart} columns of the vector as of the {WORDS.event}; docs/features.md",
        owner=OWNER,
        tags={"writer": "none: computed at read", "topic": "none", "clock": "event time", "schema": schema}
        | {f"unit.{feature.name}": feature.unit for feature in COMPUTED},
    )


def compute(inputs: pd.DataFrame, delay_ms: int, step_hours: int, limits: Limits) -> pd.DataFrame:
    """Return ``COMPUTED`` of n transactions, float32, from Feast's rows.

    The rows are the columns of ``REQUEST``, ``counterpart``, and what the two views hold (null where they hold nothing).
    Arrays of another length than today's count as missing, as for the scorer.
    """
    if ROLES.counterpart not in inputs:  # when it is registered: Feast tries the function on made-up values, without the entities
        inputs = inputs.assign(**{ROLES.counterpart: ""})
    batch = from_events([_event(row) for row in inputs.to_dict("records")])
    as_of = np.array([0 if pd.isna(time_ms) else int(time_ms) for time_ms in inputs["as_of_ms"]], dtype=np.int64)
    stale, future = limits.judge(as_of, batch.event_time_ms)
    profiles = _profiles(inputs, np.where(stale | future, 0, as_of))
    vectors = np.zeros((len(inputs), WIDTH), dtype=np.float32)
    fill(vectors, batch, profiles, delay_ms, step_hours)
    return pd.DataFrame({name: vectors[:, N_STREAM + i] for i, name in enumerate(NAMES[N_STREAM:])})


def _event(row: dict[Hashable, Any]) -> Event:
    known = {name: _known(row[wire]) for name, wire in _OPTIONAL.items()}
    return DOMAIN.event(
        event_id="",
        event_time_ms=int(row[ROLES.time]),
        subject="",
        counterpart=row[ROLES.counterpart],
        measure=int(row[ROLES.measure]),
        **known,
    )


def _known(value: Any) -> Any:
    """Return None for NaN and for empty text."""
    if isinstance(value, str):
        return value or None
    return None if value is None or np.isnan(value) else float(value)


def _profiles(inputs: pd.DataFrame, as_of: NDArray[np.int64]) -> Profiles:
    profiles = unknown(len(inputs))
    for row, (time_ms, profile, usual) in enumerate(zip(as_of, inputs["profile"], inputs["usual"], strict=True)):
        if time_ms and _has(profile, PROFILE_WIDTH):
            profiles.owner[row] = profile
            if _has(usual, USUAL_WIDTH):
                profiles.usual[row] = usual
    tiles = [_tiles(cell) for cell in inputs["tiles"]]
    lengths = np.array([len(rows) for rows in tiles], dtype=np.int64)
    end = np.cumsum(lengths)
    return replace(profiles, owner_ts_ms=as_of, tiles=np.concatenate([empty(), *tiles]), begin=end - lengths, end=end)


def _has(cell: Any, length: int) -> bool:
    return cell is not None and np.shape(cell) == (length,)


def _tiles(cell: Any) -> Tiles:
    flat = np.asarray([] if cell is None else cell, dtype=np.int64)
    return flat.reshape(-1, COLUMNS) if flat.ndim == 1 and flat.size % COLUMNS == 0 else empty()
