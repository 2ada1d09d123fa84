"""What a model or a caller asks for, by the version of the vector."""

from __future__ import annotations

from feast import FeatureService, FeatureView, OnDemandFeatureView

from features.base.active import WORDS
from features.catalogue.vector import SERVICE
from features.feast_repo.entities import OWNER

#: For callers who know only a subject: its latest vector, ready for the model.
SERVICE_BY_SUBJECT = f"{SERVICE}_by_{WORDS.subject}"


def by_subject(subject_activity: FeatureView) -> FeatureService:
    """Build the service of a subject's latest vector."""
    return FeatureService(
        name=SERVICE_BY_SUBJECT,
        features=[subject_activity],
        description=f"The latest vector of {WORDS.a('subject')}, for callers who know only its id",
        owner=OWNER,
        tags=_tags(subject_activity),
    )


def vector(
    subject_activity: FeatureView, counterpart_risk: FeatureView, owner_profile: FeatureView, read_time: OnDemandFeatureView
) -> FeatureService:
    """Build the service of a new transaction's vector: rows as they are stored, and what is computed of them at read."""
    return FeatureService(
        name=SERVICE,
        features=[subject_activity, counterpart_risk[["tiles"]], owner_profile[["profile", "usual"]], read_time],
        description=f"What the model's vector is made of; needs the {WORDS.event} that is asked about",
        owner=OWNER,
        tags=_tags(subject_activity),
    )


def _tags(subject_activity: FeatureView) -> dict[str, str]:
    return {"schema": subject_activity.tags["schema"], "vector": SERVICE}
