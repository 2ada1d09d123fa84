"""The topology: entries that hold, what is made of them, and entries that are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streams import topics
from streams.topology import TOPOLOGY, Processor, Topology, TopologyError

DOCS = Path(__file__).parents[3] / "docs" / "streams.md"
BEGIN, END = "<!-- topology -->\n", "<!-- end -->"
GOOD = Processor(
    name="rings",
    purpose="finds rings",
    process_group="rings",
    build="somewhere.rings:build",
    guarantee="exactly once",
    reads=(topics.SCORES,),
    writes=(topics.ALERTS, topics.DLQ),
    replays=(topics.SCORES,),
)


@pytest.mark.parametrize("field", ["name", "inputs", "outputs", "replays"])
def test_a_core_that_says_something_else_is_refused_by_the_name_of_the_field(field: str) -> None:
    declared: dict[str, Any] = {"name": GOOD.name, "inputs": GOOD.reads, "outputs": GOOD.writes, "replays": GOOD.replays}
    GOOD.check(SimpleNamespace(**declared))
    other = SimpleNamespace(**declared | {field: ("labels",)})
    with pytest.raises(TopologyError, match=rf"rings: its core says {field} = \('labels',\)"):
        GOOD.check(other)


@pytest.mark.parametrize("processor", TOPOLOGY.processors, ids=lambda processor: processor.name)
def test_every_build_is_a_function_that_is_there(processor: Processor) -> None:
    assert callable(processor.load())


@pytest.mark.parametrize("build", ["streams.nowhere:build", "nowhere.at.all:build", "streams.labels.joiner:nothing"])
def test_a_build_that_is_nowhere_is_refused_by_its_entry(build: str) -> None:
    with pytest.raises(TopologyError, match=f"rings: build = '{build}' names no function"):
        replace(GOOD, build=build).load()


def test_a_package_that_a_build_lacks_is_no_wrong_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lacks_a_package.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        replace(GOOD, build="lacks_a_package:build").load()


def test_the_processes_with_their_processors_and_ports() -> None:
    assert TOPOLOGY.processes == {
        "model-server": ("model-server",),
        "scorer": ("scorer",),
        "writers": ("feast-writer", "archive", "label-joiner", "counterpart-risk", "compaction"),
        "drift-monitor": ("drift-monitor", "skew"),
        "control": ("control",),
    }
    assert TOPOLOGY.ports("model-server") == {"rest": "rest", "grpc": "grpc"}
    assert TOPOLOGY.ports("control") == {"web": "control"}
    assert TOPOLOGY.ports("writers") == {}


def test_processors_run_together_share_the_port_of_the_process_that_has_them_all() -> None:
    assert TOPOLOGY.process_of(["archive", "label-joiner"]) == "writers"
    assert TOPOLOGY.process_of(["scorer"]) == "scorer"
    # As if the first were a process: no port of a process that may run beside it.
    assert TOPOLOGY.process_of(["archive", "scorer"]) == "archive"


def test_every_topic_has_a_place_and_each_changelog_is_made() -> None:
    made = [topic.name for topic in TOPOLOGY.topics(4)]
    assert made == [*topics.NAMES, "control-runs-changelog"]
    assert {topic.name: topic.partitions for topic in TOPOLOGY.topics(4)}[topics.SCORES] == 4
    used = {name for processor in TOPOLOGY for name in (*processor.reads, *processor.follows, *processor.writes)}
    # The only topic without a processor is the operators' own.
    assert set(topics.NAMES) - used == {topics.DLQ_HANDLED}


def test_the_documentation_shows_the_table() -> None:
    text = DOCS.read_text()
    shown = text[text.index(BEGIN) + len(BEGIN) : text.index(END, text.index(BEGIN))]
    assert shown == TOPOLOGY.markdown(), "docs/streams.md: replace the table with what streams.topology.TOPOLOGY.markdown() gives"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": "scorer"}, "two processors are named scorer"),
        ({"changelogs": ("control-runs-changelog",)}, "two processors have the changelog control-runs-changelog"),
        ({"reads": ("score",), "replays": ()}, "rings: reads names the topic score, which is none"),
        ({"writes": ("alert", topics.DLQ)}, "rings: writes names the topic alert, which is none"),
        ({"follows": ("drift",)}, "rings: follows names the topic drift, which is none"),
        ({"replays": (topics.LABELS,)}, "rings: replays names labels, which it does not read"),
        ({"writes": (topics.ALERTS,)}, "rings: writes must name dlq"),
        ({"reads": (), "replays": ()}, "rings: reads is empty"),
        ({"guarantee": "no stream"}, "rings: has topics and the guarantee 'no stream'"),
        ({"guarantee": "perhaps"}, "rings: guarantee = 'perhaps'; it is one of exactly once, idempotent sink"),
        ({"build": "somewhere.rings"}, "rings: build = 'somewhere.rings' is not of the form"),
        ({"process_group": "control"}, "control takes a whole process, and control has others: control, rings"),
        ({"process_group": "Rings Of Cards"}, "rings: process_group = 'Rings Of Cards'; use small letters"),
        ({"name": "a b"}, "a b: name = 'a b'; use small letters"),
    ],
)
def test_entries_that_contradict_each_other_are_refused(changed: dict[str, Any], message: str) -> None:
    assert "rings" in Topology((*TOPOLOGY, GOOD))
    with pytest.raises(TopologyError, match=message):
        Topology((*TOPOLOGY, replace(GOOD, **changed)))
