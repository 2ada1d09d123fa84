"""All objects of the feature repository, for one platform's folder.

Import it through ``features.feast_repo.store``, never first: importing feast switches prometheus_client to its multi-process
mode.
"""

from __future__ import annotations

from typing import TypeAlias

from feast import Entity, FeatureService, FeatureView, OnDemandFeatureView, Project

from features.base.active import DOMAIN
from features.base.settings import Settings
from features.feast_repo import services, views
from features.feast_repo.entities import COUNTERPART, OWNER, PROFILE_OWNER, SUBJECT
from features.feast_repo.read_time import read_time
from features.online.feast_encoding import PROJECT

FeastObject: TypeAlias = Project | Entity | FeatureView | OnDemandFeatureView | FeatureService


def build(settings: Settings) -> list[FeastObject]:
    """Build all objects of the repository, their sources where ``settings`` say."""
    subject_activity = views.subject_activity(settings)
    counterpart_risk = views.counterpart_risk(settings)
    owner_profile = views.owner_profile(settings)
    at_read = read_time(settings, counterpart_risk, owner_profile)
    return [
        Project(
            name=PROJECT,
            description=f"{DOMAIN.name}: what the model's vector is made of",
            owner=OWNER,
            tags={"clock": "event time"},
        ),
        SUBJECT,
        COUNTERPART,
        PROFILE_OWNER,
        subject_activity,
        counterpart_risk,
        owner_profile,
        at_read,
        services.by_subject(subject_activity),
        services.vector(subject_activity, counterpart_risk, owner_profile, at_read),
    ]
