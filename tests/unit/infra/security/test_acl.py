"""The table of rights against the code that needs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.base.settings import load
from infra.security import acl
from infra.security.acl import Rule
from retrain.control.faust.topics import RUNS_CHANGELOG
from streams import topics
from streams.drift.monitor import DriftMonitor
from streams.engine.core import Core
from streams.labels.joiner import LabelJoiner
from streams.publish.groups import GROUPS
from streams.scoring.scorer import Scorer
from streams.writers.archive import Archive
from streams.writers.card_activity import FeastWriter
from streams.writers.counterpart_risk import TerminalRisk

CORES: tuple[type[Core], ...] = (Scorer, FeastWriter, Archive, LabelJoiner, TerminalRisk, DriftMonitor)
DOCS = Path(__file__).parents[4] / "docs" / "security.md"


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.name)
def test_a_processor_may_read_what_its_core_reads_and_no_more(core: type[Core]) -> None:
    access = acl.BY_USER[core.name]
    assert set(access.reads) == {*core.inputs, *core.replays}
    assert access.groups == (core.name,)
    assert access.transactional_ids == (f"driftloop-{core.name}-*",)
    assert topics.DLQ in access.writes


def test_every_group_of_the_loop_has_a_user_that_may_commit_in_it() -> None:
    rules = set(acl.rules())
    for group, names in GROUPS.items():
        assert Rule(group, "group", group, False, "read") in rules
        assert {Rule(group, "topic", name, False, "read") for name in names} <= rules


def test_nobody_commits_or_opens_transactions_for_another_processor() -> None:
    processors = {core.name for core in CORES} | {"control"}
    for rule in acl.rules():
        if (rule.kind, rule.operation) in {("group", "read"), ("transactional_id", "write")}:
            for other in processors - {rule.user}:
                taken = {other, f"driftloop-{other}-0"}
                assert not any(name.startswith(rule.name) if rule.prefixed else name == rule.name for name in taken), rule


def test_only_the_scorer_writes_alerts_and_only_producers_and_repairs_write_payments() -> None:
    def writers(topic: str) -> set[str]:
        return {rule.user for rule in acl.rules() if (rule.kind, rule.name, rule.operation) == ("topic", topic, "write")}

    assert writers(topics.ALERTS) == {"scorer"}
    assert writers(topics.SCORES) == {"scorer", "operator"}
    assert writers(topics.TRANSACTIONS) == {"producer", "operator"}
    assert writers(RUNS_CHANGELOG) == {"control"}
    assert not {rule for rule in acl.rules() if rule.user in {"inspect", "jobs"} and rule.operation == "write"}


def test_whoever_looks_may_read_every_topic_of_the_loop(tmp_path: Path) -> None:
    assert set(acl.BY_USER["inspect"].reads) == {topic.name for topic in topics.all_topics(load(tmp_path).partitions)}


def test_a_name_with_a_star_is_a_prefix_and_a_lone_star_is_all() -> None:
    rules = set(acl.rules())
    assert Rule("analyst", "group", "analyst", True, "read") in rules
    assert Rule("inspect", "group", "*", False, "describe") in rules
    assert Rule("scorer", "transactional_id", "driftloop-scorer-", True, "write") in rules


def test_the_documentation_shows_the_table() -> None:
    text = DOCS.read_text()
    shown = text[text.index("<!-- rights -->\n") + len("<!-- rights -->\n") : text.index("<!-- end -->")]
    assert shown == acl.markdown(), "docs/security.md: replace the table with what infra.security.acl.markdown() gives"
