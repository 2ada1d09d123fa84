"""The writing processors on a real broker: through the shell, over a restart, into Parquet and Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import duckdb
import msgspec
import pytest

from features.archive import layout
from features.base.durations import DAY_MS
from features.base.events import Event, Label
from features.base.settings import Settings, load
from features.catalogue.vector import SCHEMA
from features.feast_repo.store import apply
from features.offline.point_in_time import point_in_time
from features.online.store import ProfileReader
from features.transform.counterpart_tiles import as_of
from infra.platform import leftovers
from infra.platform import up_down as local
from streams import topics
from streams.engine.core import Core, Sink
from streams.engine.shell import Shell
from streams.kafka.clients import producer
from streams.labels.joiner import LabelJoiner
from streams.publish.encode import encode_events, encode_labels
from streams.simulate.card_fraud.options import Options
from streams.simulate.card_fraud.simulation import Simulation
from streams.writers.archive import Archive, ArchiveSink
from streams.writers.counterpart_risk import CounterpartRisk, CounterpartRiskSink
from streams.writers.subject_activity import FeastSink, FeastWriter
from tests.unit.streams.records import DAY, T0, label, score

N = 600
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def settings(platform: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The shared broker and Redis, and folders of this module's own."""
    settings = load(tmp_path_factory.mktemp("writers"))
    settings.ports = platform.ports
    settings.partitions = platform.partitions
    apply(settings)
    return settings


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Settings]:
    """A broker and a Redis of one test: its event times lie before those that the groups on the shared broker have reached."""
    settings = load(tmp_path)
    try:
        yield local.up(settings, only={"kafka", "redis"})
    finally:
        local.down(settings)
        assert not leftovers.find(settings)


class Running:
    """Shells in threads, as the writers' process runs them."""

    def __init__(self, settings: Settings, parts: list[tuple[Core, Sink | None]]) -> None:
        self.shells = [Shell(settings, core, sink, max_batch=97) for core, sink in parts]
        self.errors: list[BaseException] = []
        self.threads = [threading.Thread(target=self._run, args=(shell,), daemon=True) for shell in self.shells]
        for thread in self.threads:
            thread.start()

    def _run(self, shell: Shell) -> None:
        try:
            shell.run()
        except Exception as error:
            self.errors.append(error)

    def stop(self) -> None:
        for shell in self.shells:
            shell.stop()
        for thread in self.threads:
            thread.join(30)
        assert not self.errors
        assert not any(thread.is_alive() for thread in self.threads)


def writers(settings: Settings) -> Running:
    return Running(
        settings,
        [
            (FeastWriter(), FeastSink(settings)),
            (Archive(SCHEMA), ArchiveSink(settings)),
            (LabelJoiner(settings.labels.delay_ms), None),
            (CounterpartRisk(settings.labels.delay_ms, DAY), CounterpartRiskSink(settings)),
        ],
    )


def publish(settings: Settings, numbers: Iterator[int] | range) -> None:
    """Scores of ``numbers``, an hour apart, and a fraud label for every tenth before it is two days old."""
    out = producer(settings)
    encode = msgspec.json.encode
    for i in numbers:
        subject, counterpart, at = f"aw-c{i % 20}", f"aw-t{i % 7}", T0 + i * DAY // 24
        out.produce(topics.SCORES, encode(score(f"aw-{i}", at, subject, counterpart)), subject.encode())
        if i % 10 == 0:
            event = label(f"aw-{i}", at, True, at + 2 * DAY, subject, counterpart)
            out.produce(topics.LABELS, encode(event), subject.encode())
    out.flush(30)


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, "nothing came in time"
        time.sleep(0.2)


def archived(settings: Settings, topic: str) -> list[tuple[str, bool, bool]]:
    """(event_id, positive, late) of this module's archived records; False for scores."""
    column = "positive, late" if topic == topics.OUTCOMES else "false, false"
    files = str(settings.archive / topic / "day=*" / "*.parquet")
    key = "event_id" if topic == topics.OUTCOMES else "transaction_id"
    query = f"select {key}, {column} from read_parquet('{files}') where starts_with({key}, 'aw-')"
    try:
        rows: list[tuple[str, bool, bool]] = duckdb.sql(query).fetchall()
    except duckdb.IOException:  # no file yet
        return []
    return rows


@pytest.mark.timeout(240)
def test_everything_arrives_once_over_a_restart(settings: Settings) -> None:
    running = writers(settings)
    publish(settings, range(N // 2))
    wait_for(lambda: len(archived(settings, topics.SCORES)) >= N // 3)
    running.stop()
    publish(settings, range(N // 2, N))
    running = writers(settings)
    # What is a delay older than its partition's newest score has matured; the youngest hours of each card have not.
    matured = N - 24 * 8
    wait_for(lambda: len(archived(settings, topics.SCORES)) >= N and len(archived(settings, topics.OUTCOMES)) >= matured)
    time.sleep(1.0)
    running.stop()

    scores = [row[0] for row in archived(settings, topics.SCORES)]
    assert sorted(scores) == sorted(f"aw-{i}" for i in range(N))
    outcomes = archived(settings, topics.OUTCOMES)
    # Labels and scores are two topics: a score may mature before its label is read, and then the label makes a late outcome.
    assert len({(event_id, late) for event_id, _, late in outcomes}) == len(outcomes)
    assert all(positive for _, positive, late in outcomes if late)
    positives = [event_id for event_id, positive, _ in outcomes if positive]
    assert sorted(positives) == sorted(f"aw-{i}" for i in range(0, N, 10))

    reader = ProfileReader(settings)
    activity = reader.activity([f"aw-c{i}" for i in range(20)])
    assert [card.event_id if card else None for card in activity] == [f"aw-{N - 20 + i}" for i in range(20)]

    counterparts = [f"aw-t{i}" for i in range(7)]
    # A day whose outcomes had all come: eight days after it, the windows that the scorer would read.
    event_day = (T0 + 10 * DAY) // DAY_MS + 8
    online = reader.read([], counterparts)
    for i, counterpart in enumerate(counterparts):
        on_day = [n for n in range(N) if (T0 + n * DAY // 24) // DAY_MS == event_day - 8 and f"aw-t{n % 7}" == counterpart]
        expected = [len(on_day), sum(n % 10 == 0 for n in on_day)]
        known = as_of(online.tiles[online.begin[i] : online.end[i]], event_day * DAY_MS, 7 * DAY_MS, 24)
        assert [known.outcomes[0], known.positives[0]] == expected

    import pandas as pd

    events = pd.DataFrame({"card_id": "nobody", "terminal_id": counterparts, "event_time_ms": T0 + N * DAY})
    offline = point_in_time(settings, events)
    for i in range(len(counterparts)):
        assert offline.tiles[offline.begin[i] : offline.end[i]].tolist() == online.tiles[online.begin[i] : online.end[i]].tolist()


@pytest.mark.timeout(240)
def test_reversed_chargebacks_reach_archive_tiles_and_joins(alone: Settings) -> None:
    """A simulated world in which half of the frauds are withdrawn: what counts in the end is what the newest label says."""
    settings = alone
    apply(settings)
    world = Simulation(Options(cards=80, terminals=40, seed=9812, fraud_rate=0.08, withdrawn_rate=0.5, start=date(2018, 3, 1)))
    batches = list(world.days(0, 4))
    running = writers(settings)
    out, encode, scored = producer(settings), msgspec.json.encode, {}
    for batch in batches:
        for body in encode_events(batch.transactions):
            paid = msgspec.json.decode(body, type=Event)
            scored[paid.event_id] = f"cr-{paid.counterpart}", paid.event_time_ms
            made = score(paid.event_id, paid.event_time_ms, f"cr-{paid.subject}", f"cr-{paid.counterpart}")
            out.produce(topics.SCORES, encode(made), made.subject.encode())
    labels = [msgspec.json.decode(body, type=Label) for batch in batches for body in encode_labels(batch.labels)]
    labels.sort(key=lambda given: given.label_time_ms)
    newest = {given.event_id: given for given in labels}

    # The terminal that loses most frauds from its peak, of those whose labels came within the windows (older tiles are dropped).
    known_of: dict[str, list[int]] = {}
    standing: dict[str, bool] = {}
    for given in labels:
        steps = known_of.setdefault(scored[given.event_id][0], [0])
        steps.append(steps[-1] + given.positive - standing.get(given.event_id, False))
        standing[given.event_id] = given.positive
    latest = {scored[given.event_id][0]: given.label_time_ms for given in labels}
    within = [at for at in latest if latest[at] < min(time_ms for _, time_ms in scored.values()) + 30 * DAY]
    counterpart = max(sorted(within), key=lambda at: max(known_of[at]) - known_of[at][-1])
    steps = known_of[counterpart]
    at_peak = [given for given in labels if scored[given.event_id][0] == counterpart][steps.index(max(steps)) - 1]
    reader = ProfileReader(settings)

    def positives_online() -> int:
        tiles = reader.read([], [counterpart])
        return int(tiles.tiles[tiles.begin[0] : tiles.end[0], 2].sum())

    for given in labels:
        body = encode(msgspec.structs.replace(given, subject=f"cr-{given.subject}", counterpart=f"cr-{given.counterpart}"))
        out.produce(topics.LABELS, body, f"cr-{given.subject}".encode())
        if given is at_peak:  # a row is written a batch: the withdrawals are not to come in the peak's own
            out.flush(30)
            wait_for(lambda: positives_online() == max(steps))
    out.flush(30)
    files = str(settings.archive / topics.OUTCOMES / "day=*" / "*.parquet")
    counts = (
        "select event_id, arg_max(positive, revision), max(revision), max(outcome_time_ms)"
        f" from read_parquet('{files}') where starts_with(event_id, 't9812-') and source <> 'matured' group by event_id"
    )

    def joined() -> dict[str, tuple[bool, int]]:
        try:
            return {name: (positive, revision) for name, positive, revision, _ in duckdb.sql(counts).fetchall()}
        except duckdb.IOException:
            return {}

    wait_for(lambda: {name: positive for name, (positive, _) in joined().items()} == {n: e.positive for n, e in newest.items()})
    assert set(joined().values()) - {(False, 0)} == {(True, 1), (False, 2)}

    frauds = [n for n, e in newest.items() if scored[n][0] == counterpart and e.positive]
    wait_for(lambda: positives_online() == len(frauds))
    running.stop()
    online = reader.read([], [counterpart])
    assert int(online.tiles[online.begin[0] : online.end[0], 2].sum()) == len(frauds)

    import pandas as pd

    late_ms = max(e.label_time_ms for n, e in newest.items() if scored[n][0] == counterpart) + 2 * DAY
    times = [min(e.event_time_ms for e in newest.values()), late_ms]
    events = pd.DataFrame({"card_id": "nobody", "terminal_id": counterpart, "event_time_ms": times})
    offline = point_in_time(settings, events)
    assert offline.end[0] == offline.begin[0], "before the first outcome nothing was known"
    assert offline.tiles[offline.begin[1] : offline.end[1]].tolist() == online.tiles[online.begin[0] : online.end[0]].tolist()
    # Each archived row says what was known at its time: at its peak all of its frauds, in the end those that stayed.
    rows = duckdb.sql(
        "select list_sum([tiles[i] for i in generate_series(3, len(tiles), 4)]) as frauds from read_parquet("
        f"'{layout.counterpart_risk_folder(settings)}/**/*.parquet') where terminal_id = '{counterpart}' order by revision"
    ).fetchall()
    known = [int(row[0]) for row in rows]
    assert known[-1] == len(frauds)
    assert max(known) == max(steps) > known[-1]
