"""Entities, feature views and feature services, for one platform's folder.

Import it through ``features.store``, never first: importing feast switches prometheus_client to its multi-process mode.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.data_format import ParquetFormat
from feast.types import Array, Float32, Int64, String

from features.repo import layout
from features.settings import Settings
from features.vector import SERVICE

OWNER = "driftloop"
#: For callers who know only a card: its latest vector, ready for the model.
SERVICE_BY_CARD = f"{SERVICE}_by_card"

FeastObject: TypeAlias = Entity | FeatureView | FeatureService


def _source(name: str, files: Path, created: str = "", renamed: dict[str, str] | None = None) -> FileSource:
    return FileSource(
        name=name,
        path=str(files),
        file_format=ParquetFormat(),
        timestamp_field="event_timestamp",
        created_timestamp_column=created,
        field_mapping=renamed or {},
    )


def build(settings: Settings) -> list[FeastObject]:
    """All objects of the repository, their sources under ``settings.dir``."""
    card = Entity(name="card", join_keys=["card_id"], value_type=ValueType.STRING, description="A payment card", owner=OWNER)
    terminal = Entity(
        name="terminal", join_keys=["terminal_id"], value_type=ValueType.STRING, description="A point of sale", owner=OWNER
    )
    card_activity = FeatureView(
        name="card_activity",
        entities=[card],
        schema=[
            Field(name="card_id", dtype=String),
            Field(name="vector", dtype=Array(Float32), description="features.vector.NAMES, in their order"),
            Field(name="schema", dtype=String, description="hash of that order; vectors with another hash are not comparable"),
            Field(name="score", dtype=Float32, description="in [0, 1]; null while there was no champion"),
            Field(name="transaction_id", dtype=String, description="the transaction that the vector was made for"),
        ],
        source=_source("scores_archive", settings.archive / "scores" / "*" / "*.parquet", renamed={"features": "vector"}),
        description="The vector and score of a card's latest transaction",
        owner=OWNER,
        tags={"writer": "feast-writer", "clock": "event time"},
    )
    terminal_risk = FeatureView(
        name="terminal_risk",
        entities=[terminal],
        schema=[
            Field(name="terminal_id", dtype=String),
            Field(
                name="tiles",
                dtype=Array(Int64),
                description="outcomes by hour, see features.terminal_tiles",
            ),
            Field(name="revision", dtype=Int64, description="offset of the newest outcome in the tiles"),
        ],
        source=_source("terminal_risk_rows", layout.terminal_risk_folder(settings) / "**" / "*.parquet", created="created"),
        description="What labels and matured transactions say of a terminal",
        owner=OWNER,
        tags={"writer": "terminal-risk", "clock": "event time"},
    )
    customer_profile = FeatureView(
        name="customer_profile",
        entities=[card],
        schema=[
            Field(name="card_id", dtype=String),
            Field(name="profile", dtype=Array(Float32), description="home, amounts and hours, see features.profiles"),
            Field(name="usual", dtype=Array(Int64), description="most used categories and terminals, see features.profiles"),
            Field(name="as_of_ms", dtype=Int64, description="the event time, as a feature: a join does not hand it over"),
        ],
        source=_source("customer_profile_rows", layout.customer_profile_folder(settings) / "**" / "*.parquet", created="created"),
        description="A card's home and habits, by batch",
        owner=OWNER,
        tags={"writer": "pipeline", "clock": "event time"},
    )
    by_card = FeatureService(
        name=SERVICE_BY_CARD,
        features=[card_activity],
        description="The latest vector of a card, for callers who know only its id",
        owner=OWNER,
    )
    service = FeatureService(
        name=SERVICE,
        features=[card_activity, terminal_risk[["tiles"]], customer_profile[["profile", "usual"]]],
        description="What the model's vector is made of",
        owner=OWNER,
    )
    return [card, terminal, card_activity, terminal_risk, customer_profile, by_card, service]
