"""The three views that are stored: what is known of a subject, of a counterpart, of an owner."""

from __future__ import annotations

from datetime import timedelta

from feast import FeatureView, Field
from feast.types import Array, Float32, Int64, String

from features.archive import layout
from features.base import view_names
from features.base.active import ROLES, WORDS
from features.base.settings import Settings
from features.catalogue.vector import vector_schema
from features.feast_repo import sources
from features.feast_repo.entities import COUNTERPART, OWNER, PROFILE_OWNER, SUBJECT


def subject_activity(settings: Settings) -> FeatureView:
    """Build the view of a subject's latest vector; the rows behind it are the archive of scores."""
    rows = sources.batch(
        settings,
        "scores_archive",
        layout.SCORES_FILES,
        f"Every scored {WORDS.event} with its vector, by event day",
        renamed={"features": "vector"},
    )
    return FeatureView(
        name=view_names.ACTIVITY,
        entities=[SUBJECT],
        schema=[
            Field(name=ROLES.subject, dtype=String, description=f"the {WORDS.subject}"),
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
                name=ROLES.id,
                dtype=String,
                description=f"the {WORDS.event} that the vector was made for",
                tags={"unit": "identifier"},
            ),
        ],
        source=sources.stream(settings, "scores", rows, "feast-writer", f"What the scorer says of each {WORDS.event}"),
        description=f"The vector and score of {WORDS.a('subject')}'s latest {WORDS.event}",
        owner=OWNER,
        tags={"writer": "feast-writer", "topic": "scores", "clock": "event time", "schema": vector_schema(settings.features)},
    )


def counterpart_risk(settings: Settings) -> FeatureView:
    """Build the view of a counterpart's tiles, from delayed labels.

    Windows are taken from them when they are read, as of the event.
    """
    rows = sources.batch(
        settings,
        f"{view_names.RISK}_rows",
        layout.COUNTERPART_RISK_FILES,
        f"Tiles of {WORDS.counterparts} after each batch of outcomes",
        "created",
    )
    return FeatureView(
        name=view_names.RISK,
        entities=[COUNTERPART],
        ttl=timedelta(days=settings.feast.tiles_max_age_days),
        schema=[
            Field(name=ROLES.counterpart, dtype=String, description=f"the {WORDS.counterpart}"),
            Field(
                name="tiles",
                dtype=Array(Int64),
                description=f"outcomes and {WORDS.positives} by time of the {WORDS.event}: features.transform.counterpart_tiles",
                tags={"unit": "outcomes"},
            ),
            Field(
                name="revision",
                dtype=Int64,
                description="offset of the newest outcome in the tiles",
                tags={"unit": "Kafka offset"},
            ),
        ],
        source=sources.stream(settings, "outcomes", rows, "counterpart-risk", "Scores joined with their labels, or matured"),
        description=f"What labels and matured {WORDS.events} say of {WORDS.a('counterpart')}",
        owner=OWNER,
        tags={"writer": "counterpart-risk", "topic": "outcomes", "clock": "event time"},
    )


def owner_profile(settings: Settings) -> FeatureView:
    """Build the view of an owner's home and habits, by the batch job."""
    return FeatureView(
        name=view_names.PROFILE,
        entities=[PROFILE_OWNER],
        ttl=timedelta(days=settings.feast.profile_max_age_days),
        schema=[
            Field(name=ROLES.subject, dtype=String, description=f"the {WORDS.owner}'s {WORDS.subject}"),
            Field(
                name="profile",
                dtype=Array(Float32),
                description="home, usual measures and hours, see features.transform.profiles",
                tags={"unit": f"degrees, {WORDS.unit}, shares; by position"},
            ),
            Field(
                name="usual",
                dtype=Array(Int64),
                description=f"hashes of usual categories, numbers of usual {WORDS.counterparts}; features.transform.profiles",
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
            settings,
            f"{view_names.PROFILE}_rows",
            layout.OWNER_PROFILE_FILES,
            "Profiles of owners, one file a run",
            "created",
        ),
        description="An owner's home and habits, by batch",
        owner=OWNER,
        tags={"writer": "profile job", "topic": "scores, through the archive", "clock": "event time"},
    )
