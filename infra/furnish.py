"""What a fresh broker and a fresh feature store need before our processes start. All are idempotent."""

from __future__ import annotations

from features.settings import ADMIN, Settings


def topics(settings: Settings) -> list[str]:
    """Create the topics of the loop and of the control plane that are missing; return their names."""
    from retrain.topics import control_topics
    from streams.topics import all_topics, create

    return create(settings.as_user(ADMIN), [*all_topics(settings), *control_topics(settings)])


def rights(settings: Settings) -> int:
    """Bring the users of a secure broker, and what they may do, to the table of ``infra.acl``; return how many rules changed."""
    from infra.rights import apply

    return apply(settings)


def features(settings: Settings) -> None:
    """Register the feature definitions with this platform's store."""
    from features.store import apply

    apply(settings)
