"""The names that Faust makes of the app's id.

Its topics are created by the topology: Faust cannot create them on Kafka 4 (docs/decisions.md, "Faust makes no topic").
"""

from __future__ import annotations

from features.base.broker_names import named

#: The Faust app's id, and so its consumer group and the first part of its changelogs' names.
APP_ID = named("control")
RUNS_TABLE = "runs"
RUNS_CHANGELOG = f"{APP_ID}-{RUNS_TABLE}-changelog"
