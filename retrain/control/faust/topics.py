"""The topics that the control plane needs for itself. Faust cannot create them on Kafka 4 (design, decision 8)."""

from __future__ import annotations

from features.base.settings import Settings
from streams.topics import Topic

#: The Faust app's id, and so its consumer group and the first part of its changelogs' names.
APP_ID = "control"
RUNS_TABLE = "runs"
RUNS_CHANGELOG = f"{APP_ID}-{RUNS_TABLE}-changelog"


def control_topics(settings: Settings) -> list[Topic]:
    """Changelogs of the tables. One partition each: a table has as many as the topics its agents read."""
    return [Topic(RUNS_CHANGELOG, 1, {"cleanup.policy": "compact"})]
