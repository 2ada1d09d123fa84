"""The control plane's own topics."""

from __future__ import annotations

from features.base.settings import Settings
from retrain.control.faust.topics import RUNS_CHANGELOG, control_topics


def test_the_changelog_is_named_as_faust_names_it_and_compacted() -> None:
    (topic,) = control_topics(Settings())
    assert topic.name == RUNS_CHANGELOG == "control-runs-changelog"
    assert topic.partitions == 1
    assert topic.config["cleanup.policy"] == "compact"
