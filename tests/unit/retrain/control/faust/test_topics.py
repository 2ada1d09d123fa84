"""The control plane's names against the topology, which makes its topics."""

from __future__ import annotations

from retrain.control.faust.topics import APP_ID, RUNS_CHANGELOG
from streams.topology import TOPOLOGY


def test_the_changelog_is_named_as_faust_names_it_and_compacted() -> None:
    (topic,) = (topic for topic in TOPOLOGY.topics(4) if topic.name == RUNS_CHANGELOG)
    assert TOPOLOGY[APP_ID].changelogs == (RUNS_CHANGELOG,) == ("control-runs-changelog",)
    assert topic.partitions == 1
    assert topic.config["cleanup.policy"] == "compact"
