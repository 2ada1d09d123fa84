"""What a model or a caller asks for, by the version of the vector."""

from __future__ import annotations

from feast import FeatureService, FeatureView, OnDemandFeatureView

from features.catalogue.vector import SERVICE
from features.feast_repo.entities import OWNER

#: For callers who know only a card: its latest vector, ready for the model.
SERVICE_BY_CARD = f"{SERVICE}_by_card"


def by_card(card_activity: FeatureView) -> FeatureService:
    """The latest vector of a card."""
    return FeatureService(
        name=SERVICE_BY_CARD,
        features=[card_activity],
        description="The latest vector of a card, for callers who know only its id",
        owner=OWNER,
        tags=_tags(card_activity),
    )


def vector(
    card_activity: FeatureView, terminal_risk: FeatureView, customer_profile: FeatureView, read_time: OnDemandFeatureView
) -> FeatureService:
    """What the vector of a new transaction is made of: rows as they are stored, and what is computed of them at read."""
    return FeatureService(
        name=SERVICE,
        features=[card_activity, terminal_risk[["tiles"]], customer_profile[["profile", "usual"]], read_time],
        description="What the model's vector is made of; needs the transaction that is asked about",
        owner=OWNER,
        tags=_tags(card_activity),
    )


def _tags(card_activity: FeatureView) -> dict[str, str]:
    return {"schema": card_activity.tags["schema"], "vector": SERVICE}
