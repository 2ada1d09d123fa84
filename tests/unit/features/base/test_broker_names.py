"""Names at the broker, with a prefix and without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from features.base.broker_names import PREFIX_VARIABLE, named, plain
from features.base.settings import FILE_NAME, SettingsError, load, prefix_in
from infra.cli import main

NAMES = """
import json
from features.base.events import EVENT_OF
from infra.security.acl import rules
from retrain.control.faust.topics import APP_ID, RUNS_CHANGELOG
from streams import topics
from streams.publish.groups import GROUPS
from streams.topology import TOPOLOGY
from infra.dead_letters.operator import TRANSACTIONAL_ID
kinds = {kind: [rule.name for rule in rules() if rule.kind == kind] for kind in ("topic", "group", "transactional_id")}
print(json.dumps({
    "topics": [topic.name for topic in TOPOLOGY.topics(4)], "schemas": list(EVENT_OF), "groups": [*GROUPS, APP_ID],
    "changelog": RUNS_CHANGELOG, "letters": TRANSACTIONAL_ID, "rules": kinds, "spread": sorted(topics.SPREAD),
}))
"""


def child(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name != PREFIX_VARIABLE}
    return subprocess.run(
        [sys.executable, "-P", *arguments], env={**env, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


def names(**environment: str) -> dict[str, object]:
    done = child("-c", NAMES, **environment)
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def prefixed(name: str) -> str:
    if name == "*" or name.startswith(("analyst", "spark-kafka-")):
        return name
    # Groups of one reader each, which nobody shares, and our transactional ids.
    head = "driftloop-" if name.startswith("driftloop-") else ""
    return name if name == "driftloop-" else f"{head}shop.{name.removeprefix(head)}"


def changed(tree: object) -> object:
    if isinstance(tree, dict):
        return {key: changed(value) for key, value in tree.items()}
    return [changed(branch) for branch in tree] if isinstance(tree, list) else prefixed(str(tree))


def test_every_name_at_the_broker_has_the_prefix() -> None:
    answer = names(**{PREFIX_VARIABLE: "shop."})
    wanted = changed(names())
    assert isinstance(wanted, dict)
    wanted["spread"] = sorted(wanted["spread"])
    assert answer == wanted


def test_without_a_prefix_names_are_as_they_are_written() -> None:
    assert named("scores") == plain("scores") == "scores"


def test_a_command_has_the_prefix_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('topic_prefix = "shop."\n')
    done = child("-m", "infra.cli.main", "--dir", str(tmp_path), "topology", "--json")
    assert done.returncode == 0, done.stderr
    assert '"shop.scores"' in done.stdout
    assert prefix_in(tmp_path) == "shop."


def test_the_environment_does_not_overrule_the_folder(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('topic_prefix = "shop."\n')
    done = child("-m", "infra.cli.main", "--dir", str(tmp_path), "topology", **{PREFIX_VARIABLE: "bank."})
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "topic_prefix is 'shop.', and this process has 'bank.'" in done.stderr


def test_a_process_of_other_names_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / FILE_NAME).write_text('topic_prefix = "shop."\n')
    with pytest.raises(SettingsError, match=r"topic_prefix is 'shop\.', and this process has ''"):
        load(tmp_path)
    assert main.run(["--dir", str(tmp_path), "status"]) == 2
    assert "topic_prefix is 'shop.'" in capsys.readouterr().err


def test_what_kafka_takes_in_no_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('topic_prefix = "a shop"\n')
    done = child("-m", "infra.cli.main", "--dir", str(tmp_path), "status")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "topic_prefix is 'a shop'; Kafka takes letters of ASCII" in done.stderr
