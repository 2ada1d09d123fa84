"""What a fresh broker and a fresh feature store need before our processes start. All are idempotent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.base.settings import ADMIN, Settings

if TYPE_CHECKING:
    from streams.topics import Topic


def topics(settings: Settings) -> list[str]:
    """Create the topics of the loop that are missing; return their names."""
    from streams.kafka.create_topics import create

    return create(settings.as_user(ADMIN), _topics(settings))


def less_safe_topics(settings: Settings) -> list[str]:
    """Return the topics that were made with fewer copies than the settings say, a line each."""
    from streams.kafka.create_topics import less_safe

    return less_safe(settings, _topics(settings))


def _topics(settings: Settings) -> list[Topic]:
    from streams.topology import TOPOLOGY

    return TOPOLOGY.topics(settings.partitions)


def rights(settings: Settings) -> int:
    """Bring the users of a secure broker, and what they may do, to the table of ``infra.security.acl``; return how many rules
    changed."""
    from infra.security.apply_acl import apply

    return apply(settings)


def features(settings: Settings) -> None:
    """Register the feature definitions with this platform's store."""
    from features.feast_repo.store import apply

    apply(settings)
