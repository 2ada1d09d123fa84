"""The three views that are stored: what is known of a card, of a terminal, of a customer."""

from __future__ import annotations

from datetime import timedelta

from feast import FeatureView, Field
from feast.types import Array, Float32, Int64, String

from features.archive import layout
from features.base.settings import Settings
from features.catalogue.vector import vector_schema
from features.feast_repo import sources
from features.feast_repo.entities import CARD, CUSTOMER, OWNER, TERMINAL


def card_activity(settings: Settings) -> FeatureView:
    """The latest vector of a card; the rows behind it are the archive of scores."""
    rows = sources.batch(
        settings,
        "scores_archive",
        layout.SCORES_FILES,
        "Every scored transaction with its vector, by event day",
        renamed={"features": "vector"},
    )
    return FeatureView(
        name="card_activity",
        entities=[CARD],
        schema=[
            Field(name="card_id", dtype=String, description="the card"),
            Field(
                name="vector",
                dtype=Array(Float32),
                description="features.catalogue.vector.NAMES, in their order; driftloop features list tells their units",
                tags={"unit": "by position"},
            ),
            Field(
                name="schema",
                dtype=String,
                description="hash of that order; vectors with another hash are not comparable",
                tags={"unit": "hash"},
            ),
            Field(
                name="score",
                dtype=Float32,
                description="the model's, in [0, 1]; null while there was no champion",
                tags={"unit": "probability"},
            ),
            Field(
                name="transaction_id",
                dtype=String,
                description="the transaction that the vector was made for",
                tags={"unit": "identifier"},
            ),
        ],
        source=sources.stream(settings, "scores", rows, "feast-writer", "What the scorer says of each transaction"),
        description="The vector and score of a card's latest transaction",
        owner=OWNER,
        tags={"writer": "feast-writer", "topic": "scores", "clock": "event time", "schema": vector_schema(settings.features)},
    )


def terminal_risk(settings: Settings) -> FeatureView:
    """Tiles of a terminal, from delayed labels. Windows are taken from them when they are read, as of the event."""
    rows = sources.batch(
        settings, "terminal_risk_rows", layout.TERMINAL_RISK_FILES, "Tiles of terminals after each batch of outcomes", "created"
    )
    return FeatureView(
        name="terminal_risk",
        entities=[TERMINAL],
        ttl=timedelta(days=settings.feast.tiles_max_age_days),
        schema=[
            Field(name="terminal_id", dtype=String, description="the terminal"),
            Field(
                name="tiles",
                dtype=Array(Int64),
                description="outcomes and frauds by time of the transaction, see features.transform.counterpart_tiles",
                tags={"unit": "outcomes"},
            ),
            Field(
                name="revision",
                dtype=Int64,
                description="offset of the newest outcome in the tiles",
                tags={"unit": "Kafka offset"},
            ),
        ],
        source=sources.stream(settings, "outcomes", rows, "terminal-risk", "Scores joined with their labels, or matured"),
        description="What labels and matured transactions say of a terminal",
        owner=OWNER,
        tags={"writer": "terminal-risk", "topic": "outcomes", "clock": "event time"},
    )


def customer_profile(settings: Settings) -> FeatureView:
    """Home and habits of a customer, by the batch job."""
    return FeatureView(
        name="customer_profile",
        entities=[CUSTOMER],
        ttl=timedelta(days=settings.feast.profile_max_age_days),
        schema=[
            Field(name="card_id", dtype=String, description="the customer's card"),
            Field(
                name="profile",
                dtype=Array(Float32),
                description="home, usual amounts and hours, see features.transform.profiles",
                tags={"unit": "degrees, currency units, shares; by position"},
            ),
            Field(
                name="usual",
                dtype=Array(Int64),
                description="hashes of the usual merchant categories and numbers of the usual terminals, see transform.profiles",
                tags={"unit": "64-bit hashes"},
            ),
            Field(
                name="as_of_ms",
                dtype=Int64,
                description="the event time, as a feature: a join does not hand it over",
                tags={"unit": "ms since 1970, UTC"},
            ),
        ],
        source=sources.batch(
            settings, "customer_profile_rows", layout.CUSTOMER_PROFILE_FILES, "Profiles of customers, one file a run", "created"
        ),
        description="A customer's home and habits, by batch",
        owner=OWNER,
        tags={"writer": "profile job", "topic": "scores, through the archive", "clock": "event time"},
    )
