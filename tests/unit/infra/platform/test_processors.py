"""``driftloop run``: what it builds, what it refuses, and what a new entry takes: one file and nothing else."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from features.base.settings import Settings, load
from infra.errors import PlatformError
from infra.platform import components, ports, processors
from infra.security import acl
from streams import topics
from streams.engine.shell import Shell
from streams.schemas import generate
from streams.topology import TOPOLOGY, Processor, Topology

#: The one file: a core, and the function that puts it into its shell.
RINGS = """
from streams.engine.core import Output
from streams.engine.shell import Shell


class Rings:
    name = "rings"
    inputs = ("scores", "outcomes")
    outputs = ("alerts", "dlq")
    replays = ("scores",)

    def process(self, records): return Output()
    def restore(self, records): pass
    def forget(self, partitions): pass


def build(settings):
    return Shell(settings, Rings())
"""
#: The one entry.
ENTRY = Processor(
    name="rings",
    purpose="finds rings of cards",
    process_group="rings",
    build="made_up_rings:build",
    guarantee="exactly once",
    reads=(topics.SCORES, topics.OUTCOMES),
    writes=(topics.ALERTS, topics.DLQ),
    replays=(topics.SCORES,),
    changelogs=("rings-changelog",),
)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    (tmp_path / "made_up_rings.py").write_text(RINGS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "made_up_rings", raising=False)
    settings = ports.assign(load(tmp_path), (*components.PROCESSES, "rings"))
    settings.token_file.parent.mkdir(parents=True, exist_ok=True)
    settings.token_file.write_text("t" * 40)
    settings.token_file.chmod(0o600)
    return settings


@pytest.fixture
def wider() -> Topology:
    return Topology((*TOPOLOGY, ENTRY))


def test_a_new_processor_is_one_file_and_one_entry(settings: Settings, wider: Topology) -> None:
    # driftloop run
    made = processors.built("rings", settings, wider)
    assert isinstance(made, Shell)
    assert made.core.name == "rings"
    # the platform's processes, with their metrics ports
    (*_, rings) = components.ours(wider)
    assert rings.name == "rings"
    assert rings.command(settings)[-2:] == ["run", "rings"]
    assert rings.ports(settings) == {"metrics": settings.ports.metrics["rings"]}
    assert [part.name for part in components.ours(wider)][:-1] == list(components.PROCESSES)
    # rights at the broker, and docs/security.md
    rules = set(acl.rules(acl.table(wider))) - set(acl.rules())
    assert {(rule.kind, rule.name, rule.operation) for rule in rules if rule.user == "rings"} == {
        ("topic", "scores", "read"),
        ("topic", "outcomes", "read"),
        ("topic", "rings-changelog", "read"),
        ("topic", "alerts", "write"),
        ("topic", "dlq", "write"),
        ("topic", "rings-changelog", "write"),
        ("group", "rings", "read"),
        ("group", "driftloop-", "describe"),
        ("transactional_id", "driftloop-rings-", "write"),
    }
    assert {rule.user for rule in rules} == {"rings"}
    assert "| `rings` | finds rings of cards | `scores`, `outcomes`" in acl.markdown(acl.table(wider))
    # the lockstep's groups, the repartition's processes, topics, and the tables in docs
    assert wider.groups == TOPOLOGY.groups | {"rings": ("scores", "outcomes")}
    assert wider.processes_with(topics.SPREAD) == ("scorer", "writers", "drift-monitor", "rings")
    assert {topic.name for topic in wider.topics(4)} - {topic.name for topic in TOPOLOGY.topics(4)} == {"rings-changelog"}
    assert generate.writers_text(topics.ALERTS, wider) == "scorer, rings"
    assert "| `rings` | finds rings of cards |" in wider.markdown()


def test_one_more_in_a_process_that_is_there_runs_with_the_others(settings: Settings) -> None:
    beside = Topology((*TOPOLOGY, Processor("rings", "finds rings", "writers", "made_up_rings:build", "no stream")))
    (writers,) = (part for part in components.ours(beside) if part.name == "writers")
    assert writers.command(settings)[-6:] == [*TOPOLOGY.processes["writers"], "rings"]


@pytest.mark.parametrize("name", [processor.name for processor in TOPOLOGY if not processor.alone])
def test_every_processor_is_built_as_its_entry_says(name: str, settings: Settings) -> None:
    made = processors.built(name, settings)
    for thread in threading.enumerate():
        if thread.name == "evidently":
            # It silences warnings while it imports, which it must not do to the tests that come next.
            thread.join()
    assert isinstance(made, Shell) is TOPOLOGY[name].transactional


def test_a_core_that_reads_something_else_than_its_entry_does_not_start(settings: Settings) -> None:
    other = Processor("rings", "", "rings", "made_up_rings:build", "exactly once", (topics.SCORES,), (topics.ALERTS, topics.DLQ))
    with pytest.raises(PlatformError, match="rings: its core says inputs = "):
        processors.built("rings", settings, Topology((other,)))


def test_an_entry_that_names_no_function_does_not_start(settings: Settings) -> None:
    nowhere = Processor("rings", "finds rings", "rings", "made_up_rings:built", "no stream")
    with pytest.raises(PlatformError, match="rings: build = 'made_up_rings:built' names no function"):
        processors.run_processors(["rings"], settings, Topology((nowhere,)))


def test_an_unknown_name_is_answered_with_those_there_are(settings: Settings) -> None:
    with pytest.raises(PlatformError, match="no processor named score; there are model-server, scorer, feast-writer"):
        processors.run_processors(["scorer", "score"], settings)


@pytest.mark.parametrize("names", [["control", "scorer"], ["scorer", "model-server"]], ids=" ".join)
def test_one_that_takes_a_process_runs_with_nothing_beside_it(names: list[str], settings: Settings) -> None:
    with pytest.raises(PlatformError, match="takes a process of its own"):
        processors.run_processors(names, settings)
