"""What a fresh broker and a fresh feature store need before our processes start. Both are idempotent."""

from __future__ import annotations

from features.settings import Settings


def topics(settings: Settings) -> list[str]:
    """Create the topics of the loop and of the control plane that are missing; return their names."""
    from retrain.topics import control_topics
    from streams.topics import all_topics, create

    return create(settings, [*all_topics(settings), *control_topics(settings)])


def features(settings: Settings) -> None:
    """Register the feature definitions with this platform's store."""
    from features.store import apply

    apply(settings)
