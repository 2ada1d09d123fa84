"""Producers in four languages, as docs/producers.md shows them, and producers that do otherwise: each card has one history, and
labels join.

The scorer and the label joiner run in their real shells; there is no champion.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from prometheus_client import generate_latest

from features.base.events import Outcome, Score
from features.base.sections import Scoring
from features.base.settings import Settings, load
from features.catalogue.vector import INDEX, unpacked
from features.online.cached_reader import Reader
from features.online.store import ProfileReader
from infra.platform import leftovers
from infra.platform import up_down as local
from infra.platform.moved import Moved, summed
from infra.services import jars
from streams import topics
from streams.engine.moved_header import moved
from streams.engine.partitioner_setting import homes_of
from streams.engine.shell import Shell
from streams.labels.joiner import build
from streams.publish.groups import GROUPS
from streams.publish.lockstep import Lockstep
from streams.scoring.scorer import Scorer
from tests.chaos.logs import committed
from tests.integration.scoring_child import NoChampion

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

PAGE = Path(__file__).parents[2] / "docs" / "producers.md"
T0 = 1_767_600_000_000
MINUTE = 60_000
KAFKAJS = "2.2.4"


def example(language: str) -> str:
    """The program as the page shows it."""
    (block,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(block)


@dataclass
class World:
    """A platform of which the scorer and the label joiner run. ``folder``: where programs are put."""

    settings: Settings
    folder: Path
    shells: list[Shell] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        settings = self.settings
        scorer = Scorer(settings, NoChampion(), Reader(ProfileReader(settings), settings.feast), homes=homes_of(settings))
        self.shells += [Shell(settings, scorer), build(settings)]
        self.threads += [threading.Thread(target=shell.run, daemon=True) for shell in self.shells]
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        for shell in self.shells:
            shell.stop()
        for thread in self.threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in self.threads), "a shell outlives its broker"

    def run(self, command: list[str], records: list[dict[str, object]], **environment: str) -> None:
        lines = "".join(json.dumps(record) + "\n" for record in records)
        done = subprocess.run(
            command,
            input=lines,
            env={**os.environ, "BOOTSTRAP": self.settings.bootstrap, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def wait(self) -> None:
        """Until everything that was published is taken."""
        groups = {name: GROUPS[name] for name in ("scorer", "label-joiner")}
        with Lockstep(self.settings, groups, timeout_s=60) as lockstep:
            lockstep.wait()

    def scores(self) -> list[Score]:
        raw = committed(self.settings, topics.SCORES, self.settings.partitions)
        return [msgspec.json.decode(record.value or b"", type=Score) for part in raw.values() for record in part]

    def outcomes(self) -> list[Outcome]:
        raw = committed(self.settings, topics.OUTCOMES, self.settings.partitions)
        return [msgspec.json.decode(record.value or b"", type=Outcome) for part in raw.values() for record in part]

    def letters(self) -> int:
        return sum(map(len, committed(self.settings, topics.DLQ, 1).values()))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    settings = load(tmp_path_factory.mktemp("platform"))
    try:
        settings = local.up(settings, only={"kafka", "redis"})
        settings = settings.model_copy(update={"scoring": Scoring(allowed_lateness_hours=1000.0)})
        own = World(settings, tmp_path_factory.mktemp("programs"))
        own.start()
        try:
            yield own
        finally:
            own.stop()
    finally:
        local.down(settings)
        assert not leftovers.find(settings)


def payments(who: str, cards: int = 6, each: int = 4) -> list[dict[str, object]]:
    return [
        {
            "transaction_id": f"{who}-{card}-{n}",
            "event_time_ms": T0 + n * MINUTE,
            "card_id": f"{who}-{card}-é",
            "terminal_id": "shop-7",
            "amount_minor": 1999,
        }
        for n in range(each)
        for card in range(cards)
    ]


def labels(sent: list[dict[str, object]]) -> list[dict[str, object]]:
    """A fraud label for the first payment of each card."""
    names = ("transaction_id", "event_time_ms", "card_id", "terminal_id")
    first = [payment for payment in sent if payment["event_time_ms"] == T0]
    return [{**{name: payment[name] for name in names}, "is_fraud": True, "label_time_ms": T0 + 60 * MINUTE} for payment in first]


def python(world: World, topic: str, records: list[dict[str, object]]) -> None:
    (world.folder / "send.py").write_text(example("python"))
    world.run([sys.executable, "send.py", topic], records)


def kcat(world: World, topic: str, records: list[dict[str, object]]) -> None:
    if not shutil.which("kcat") or not shutil.which("jq"):
        pytest.skip("kcat or jq is missing")
    (world.folder / "send.sh").write_text(example("bash"))
    world.run(["bash", "send.sh", topic], records)


def java(world: World, topic: str, records: list[dict[str, object]]) -> None:
    if not shutil.which("javac"):
        pytest.skip("javac is missing")
    (world.folder / "Send.java").write_text(example("java"))
    world.run(["java", "-Xmx200m", "-cp", f"{jars.resolve()}/*", "Send.java", topic], records)


def node(world: World, topic: str, records: list[dict[str, object]]) -> None:
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node or npm is missing")
    if not (world.folder / "node_modules" / "kafkajs").is_dir():
        subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", f"kafkajs@{KAFKAJS}"], cwd=world.folder, check=True
        )
    (world.folder / "send.js").write_text(example("javascript"))
    world.run(["node", "send.js", topic], records)


def by_librdkafkas_default(world: World, topic: str, records: list[dict[str, object]]) -> None:
    script = example("python").replace('"partitioner": "murmur2_random", ', "")
    assert script != example("python")
    (world.folder / "default.py").write_text(script)
    world.run([sys.executable, "default.py", topic], records)


def without_a_key(world: World, topic: str, records: list[dict[str, object]]) -> None:
    script = example("python").replace("        key,\n", "")
    assert script != example("python")
    (world.folder / "keyless.py").write_text(script)
    world.run([sys.executable, "keyless.py", topic], records)


def keyed_by_the_terminal(world: World, topic: str, records: list[dict[str, object]]) -> None:
    script = example("python").replace('["card_id"]', '["terminal_id"]')
    assert script != example("python")
    (world.folder / "terminal.py").write_text(script)
    world.run([sys.executable, "terminal.py", topic], records)


def moves() -> dict[str, Moved]:
    return summed(generate_latest().decode())


CLIENTS = [python, kcat, java, node]
OTHERS = {by_librdkafkas_default: "crc32", without_a_key: "no key", keyed_by_the_terminal: "another key"}


@pytest.mark.parametrize("send", [*CLIENTS, *OTHERS], ids=lambda send: send.__name__)
def test_each_card_has_one_history_and_each_label_its_payment(world: World, send) -> None:  # type: ignore[no-untyped-def]
    who = send.__name__
    before = moves()
    sent = payments(who)
    send(world, topics.EVENTS, sent)
    world.wait()
    send(world, topics.LABELS, labels(sent))
    world.wait()
    scores = [score for score in world.scores() if score.event.event_id.startswith(f"{who}-")]
    assert Counter(score.event.event_id for score in scores) == Counter(str(payment["transaction_id"]) for payment in sent)
    last = {score.subject: score for score in sorted(scores, key=lambda score: score.event.event_time_ms)}
    if send is not without_a_key:
        # Without a key the payments of a card may pass each other on their way.
        assert {int(unpacked(score.features)[INDEX["count_1d"]]) for score in last.values()} == {4}
    joined = [outcome for outcome in world.outcomes() if outcome.event_id.startswith(f"{who}-")]
    assert sorted(outcome.event_id for outcome in joined) == sorted(str(label["transaction_id"]) for label in labels(sent))
    assert all(outcome.positive and outcome.unusual is not None and not outcome.late for outcome in joined)
    assert world.letters() == 0
    if send in OTHERS:
        way = OTHERS[send]
        for topic in (topics.EVENTS, topics.LABELS):
            assert moves()[topic]["came_by"][way] > before.get(topic, {"came_by": {}})["came_by"].get(way, 0)
    else:
        assert moves() == before, "the page's producers put records where they belong"


def test_what_was_moved_is_in_its_cards_partition_as_it_came(world: World) -> None:
    log = committed(world.settings, topics.EVENTS, world.settings.partitions)
    values = {(partition, record.offset): record.value for partition, part in log.items() for record in part}
    origins = [(moved(record), record) for part in log.values() for record in part if moved(record) is not None]
    assert origins
    for origin, record in origins:
        assert origin is not None
        assert values[origin.partition, origin.offset] == record.value
        assert record.key == json.loads(record.value or b"")["card_id"].encode()
        assert any(name == "driftloop-client" and value == b"python" for name, value in record.headers)
