"""The table of rights against the code that needs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.base.settings import load
from infra.security import acl
from infra.security.acl import Rule
from retrain.control.faust.topics import RUNS_CHANGELOG
from streams import topics
from streams.publish.groups import GROUPS
from streams.topology import TOPOLOGY, Processor

DOCS = Path(__file__).parents[4] / "docs" / "security.md"


@pytest.mark.parametrize("processor", TOPOLOGY.streaming, ids=lambda processor: processor.name)
def test_a_processor_may_read_and_write_what_its_entry_says_and_no_more(processor: Processor) -> None:
    # Its core is held to the entry where it is built (infra.platform.processors).
    access = acl.BY_USER[processor.name]
    assert set(access.reads) == {*processor.reads, *processor.follows, *processor.changelogs}
    assert set(access.writes) == {*processor.writes, *processor.changelogs}
    assert access.groups == (processor.name,)
    assert access.transactional_ids == ((f"driftloop-{processor.name}-*",) if processor.transactional else ())
    assert topics.DLQ in access.writes


def test_every_group_of_the_loop_has_a_user_that_may_commit_in_it() -> None:
    rules = set(acl.rules())
    for group, names in GROUPS.items():
        assert Rule(group, "group", group, False, "read") in rules
        assert {Rule(group, "topic", name, False, "read") for name in names} <= rules


def test_nobody_commits_or_opens_transactions_for_another_processor() -> None:
    processors = {processor.name for processor in TOPOLOGY.streaming}
    for rule in acl.rules():
        if (rule.kind, rule.operation) in {("group", "read"), ("transactional_id", "write")}:
            for other in processors - {rule.user}:
                taken = {other, f"driftloop-{other}-0"}
                assert not any(name.startswith(rule.name) if rule.prefixed else name == rule.name for name in taken), rule


def test_only_the_scorer_writes_alerts_and_payments_are_written_by_producers_repairs_and_who_moves_them() -> None:
    def writers(topic: str) -> set[str]:
        return {rule.user for rule in acl.rules() if (rule.kind, rule.name, rule.operation) == ("topic", topic, "write")}

    assert writers(topics.ALERTS) == {"scorer"}
    assert writers(topics.SCORES) == {"scorer", "operator"}
    assert writers(topics.EVENTS) == {"producer", "operator", "scorer"}
    assert writers(topics.LABELS) == {"producer", "analyst", "operator", "label-joiner"}
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
