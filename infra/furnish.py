"""What a fresh broker and a fresh feature store need before our processes start. Both are idempotent."""

from __future__ import annotations

from importlib.util import find_spec

from features.settings import Settings


def topics(settings: Settings) -> list[str]:
    """Create the topics of the loop and of the control plane that are missing; return their names."""
    from streams.topics import all_topics, create

    wanted = all_topics(settings)
    if find_spec("retrain.topics"):
        from retrain.topics import control_topics

        wanted = [*wanted, *control_topics(settings)]
    return create(settings, wanted)


def features(settings: Settings) -> None:
    """Register the feature definitions with this platform's store."""
    if find_spec("features.store"):
        from features.store import apply

        apply(settings)
