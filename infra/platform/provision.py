"""What a fresh broker and a fresh feature store need before our processes start. All are idempotent."""

from __future__ import annotations

from features.base.settings import ADMIN, Settings


def topics(settings: Settings) -> list[str]:
    """Create the topics of the loop that are missing; return their names."""
    from streams.kafka.create_topics import create
    from streams.topology import TOPOLOGY

    return create(settings.as_user(ADMIN), TOPOLOGY.topics(settings.partitions))


def rights(settings: Settings) -> int:
    """Bring the users of a secure broker, and what they may do, to the table of ``infra.security.acl``; return how many rules
    changed."""
    from infra.security.apply_acl import apply

    return apply(settings)


def features(settings: Settings) -> None:
    """Register the feature definitions with this platform's store."""
    from features.feast_repo.store import apply

    apply(settings)
