"""The small parts: partitioners, journal, the order of a merge, which transactions are copied and where they go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from features.base.sections import Scoring
from features.base.settings import Settings, load
from features.domains.card_fraud.event import Payment
from infra.errors import PlatformError
from infra.platform import repartition_journal
from infra.platform.repartition_journal import Journal, TopicPlan
from infra.repartition import copying
from infra.repartition.copying import Taken, TakenLabels, Target, taken_of, temporary
from infra.repartition.marks import Marks
from infra.repartition.merged import merged, time_of
from infra.repartition.switching import foreign
from streams import topics
from streams.engine.homes import WHERE_THEY_LIE
from streams.engine.moved_header import Moved
from streams.engine.partitioner_setting import homes_of
from streams.engine.repartition_header import HEADER, Copied, copied
from streams.engine.settings_history import History, Since
from streams.kafka.partitioners import HASHES
from streams.kafka.records import Record
from streams.scoring.admission.event_clock import SUBJECTS
from streams.scoring.intake import limits_of
from tests.unit.streams.records import DAY, HOUR, T0, label, score


def event(n: int, time: int, subject: str = "c", partition: int = 0, amount: int = 100, appended: int = T0 + 400 * DAY) -> Record:
    event = Payment(f"t{n}", time, subject, "m", amount)
    return Record(topics.EVENTS, partition, n, subject.encode(), msgspec.json.encode(event), [], appended)


@pytest.mark.parametrize(
    ("key", "signed"),
    # From Apache Kafka's UtilsTest.testMurmur2.
    [("21", -973932308), ("foobar", -790332482), ("a-little-bit-long-string", -985981536), ("abc", 479470107)],
)
def test_murmur2_is_javas(key: str, signed: int) -> None:
    assert HASHES["murmur2"](key.encode()) == signed & 0x7FFFFFFF


def test_the_journal_is_what_was_written_until_it_is_removed(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert repartition_journal.read(settings) is None
    repartition_journal.refuse_unfinished(settings)
    plan = TopicPlan({"retention.ms": "1"}, 1, {0: 5, 1: 7}, {0: 4}, True)
    wanted = Journal(1, 4, 6, ["scorer"], "switching", "crc32", {"g": {"alerts": "begin"}}, {"scores": plan}, 9, 2)
    repartition_journal.write(settings, wanted)
    assert repartition_journal.read(settings) == wanted
    with pytest.raises(PlatformError, match="run driftloop repartition --partitions 6 again"):
        repartition_journal.refuse_unfinished(settings)
    repartition_journal.remove(settings)
    assert repartition_journal.read(settings) is None
    repartition_journal.path(settings).write_text("{")
    with pytest.raises(PlatformError, match="is damaged"):
        repartition_journal.read(settings)


def anywhere(settings: Settings) -> dict[int, History]:
    """What is noted of partitions whose records were taken where they lay."""
    return {partition: (Since(0, limits_of(settings.scoring)),) for partition in range(settings.partitions)}


def test_what_the_scorer_did_not_take_is_not_copied(tmp_path: Path) -> None:
    settings = load(tmp_path).model_copy(update={"scoring": Scoring(duplicate_horizon_hours=24)})
    bad = Record(topics.EVENTS, 0, 9, b"c", b"{", [], T0)
    first, again, other = event(1, T0), event(1, T0), event(1, T0, amount=200)
    ahead = event(2, T0 + 2 * HOUR, appended=T0)
    elsewhere = event(1, T0, partition=1)
    clock = [event(10 + n, T0 + 3 * DAY, subject=f"d{n}") for n in range(SUBJECTS)]
    late = event(1, T0 + 3 * DAY)
    taken = Taken(settings, anywhere(settings))
    assert taken([first, again, bad, other, ahead]) == [first]
    assert taken([elsewhere]) == [elsewhere]
    # Once the partition's clock has passed the horizon, the id is a new one.
    assert taken([*clock, late]) == [*clock, late]


def test_what_was_taken_goes_by_the_limits_of_then(tmp_path: Path) -> None:
    settings = load(tmp_path).model_copy(update={"scoring": Scoring(allowed_lead_hours=0)})
    ahead = msgspec.structs.replace(event(1, T0 + 2 * HOUR, appended=T0), offset=0)
    replayed = msgspec.structs.replace(ahead, offset=1)
    limits = limits_of(Scoring(allowed_lead_hours=1)), limits_of(settings.scoring)
    assert Taken(settings, {0: (Since(0, limits[0]), Since(1, limits[1]))})([ahead, replayed]) == [replayed]
    assert Taken(settings, {0: (Since(0, limits[1]),)})([ahead, replayed]) == [ahead]


def labelled(n: int, time: int, partition: int = 0) -> Record:
    """A label that the broker took at T0."""
    value = msgspec.json.encode(label(f"t{n}", T0, True, time))
    return Record(topics.LABELS, partition, n, b"c", value, [], T0)


def test_a_label_that_the_joiner_refused_is_not_copied() -> None:
    sane, ahead, broken = labelled(0, T0), labelled(1, T0 + DAY), Record(topics.LABELS, 0, 2, b"c", b"{", [], T0)
    assert TakenLabels(HOUR, WHERE_THEY_LIE, {})([sane, ahead, broken]) == [sane]
    assert TakenLabels(0, WHERE_THEY_LIE, {})([sane, ahead, broken]) == [sane, ahead]


def test_which_labels_were_taken_goes_by_the_lead_of_then_in_their_partition() -> None:
    delay = 7 * DAY
    sent = [labelled(n, T0 + DAY) for n in range(4)]
    other = [labelled(n, T0 + DAY, partition=1) for n in range(4)]
    # At first there was no lead, and notes said the delay alone.
    lifted = (Since(0, (delay,)), Since(1, (delay, HOUR)), Since(3, (delay, 0)))
    taken = TakenLabels(HOUR, WHERE_THEY_LIE, {0: lifted, 1: (Since(0, (delay, 0)), Since(2, (delay, HOUR)))})
    assert taken(sent) == [sent[0], sent[3]]
    assert taken(other) == other[:2]


def test_a_copied_label_is_taken_again_though_it_lies_ahead() -> None:
    copy = msgspec.structs.replace(labelled(0, T0 + DAY), headers=[Copied().header()])
    assert TakenLabels(HOUR, WHERE_THEY_LIE, {})([copy]) == [copy]
    forged = msgspec.structs.replace(copy, headers=[(HEADER, b"what")])
    assert TakenLabels(HOUR, WHERE_THEY_LIE, {})([forged]) == []


class InMemory:
    """Stands for the broker: ``copying.Reader`` and ``copying.Writer`` over lists."""

    def __init__(self, records: list[Record]) -> None:
        self.records = records
        self.written: list[tuple[str, Record]] = []
        self.counts: dict[tuple[str, int], int] = {}
        self.newest: dict[tuple[str, int], int] = {}

    def __enter__(self) -> InMemory:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def pieces(self, topic: str, partition: int, begin: int, end: int) -> Iterator[list[Record]]:
        records = [r for r in self.records if (r.topic, r.partition) == (topic, partition) and begin <= r.offset < end]
        yield from ([record] for record in records)

    def put(self, topic: str, partition: int, record: Record, headers: list[tuple[str, bytes | None]]) -> None:
        assert [name for name, _ in headers].count(HEADER) == 1
        self.written.append((topic, record))
        self.newest[topic, partition] = self.counts.get((topic, partition), 0)
        self.counts[topic, partition] = self.newest[topic, partition] + 1

    def flush(self) -> None:
        pass


def test_a_repartition_copies_what_was_taken_and_counts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(tmp_path).model_copy(update={"scoring": Scoring(allowed_lead_hours=1)})
    unscored = event(0, T0 + DAY, appended=T0)
    # No record of this log is a copy, so the header is a producer's.
    forged = msgspec.structs.replace(labelled(2, T0 + DAY), headers=[Copied().header()])
    log = InMemory([unscored, labelled(0, T0), labelled(1, T0 + DAY), forged, labelled(3, T0 + DAY), labelled(0, T0 + DAY, 1)])
    monkeypatch.setattr(copying, "Reader", lambda settings, piece: log)
    monkeypatch.setattr(copying, "Writer", lambda settings: log)
    plan = Journal(1, 2, 3, [], topics={name: TopicPlan({}, 1, {0: 9, 1: 9}) for name in copying.SPREAD})
    delay = settings.labels.delay_ms
    plan.topics[topics.LABELS].limits = {0: (Since(0, (delay, HOUR)), Since(3, (delay, 0)))}
    copying.copy(settings, plan, Marks(2, delay), lambda what, records: None)
    assert log.written == [(temporary(topics.LABELS), log.records[1]), (temporary(topics.LABELS), log.records[4])]
    assert sum(plan.topics[topics.LABELS].counts.values()) == 2
    assert taken_of(settings, topics.OUTCOMES, {}) is None


def test_a_copy_is_taken_again_whatever_came_before_it(tmp_path: Path) -> None:
    settings = load(tmp_path)
    first = event(1, T0)
    copy = msgspec.structs.replace(event(1, T0, amount=200), headers=[Copied().header()], appended_ms=1)
    assert Taken(settings, anywhere(settings))([first, copy]) == [first, copy]
    forged = msgspec.structs.replace(copy, headers=[(HEADER, b"what")])
    assert Taken(settings, anywhere(settings))([first, forged]) == [first]


def test_what_was_moved_is_copied_from_its_subjects_partition_alone(tmp_path: Path) -> None:
    settings = load(tmp_path)
    home = HASHES["murmur2"](b"c") % settings.partitions
    astray = event(1, T0, partition=(home + 1) % settings.partitions)
    there_too = msgspec.structs.replace(event(1, T0, partition=home), headers=[Moved(astray.partition, 1, T0).header()])
    assert Taken(settings, {})([astray]) == []
    assert Taken(settings, {})([there_too]) == [there_too]
    of_label = labelled(0, T0, partition=astray.partition)
    assert TakenLabels(0, homes_of(settings), {})([of_label]) == []
    assert TakenLabels(0, homes_of(settings), {})([labelled(0, T0, partition=home)]) == [labelled(0, T0, partition=home)]


def test_a_record_goes_where_its_subject_belongs_whatever_its_key() -> None:
    target = Target("murmur2", 5)
    wanted = HASHES["murmur2"](b"c") % 5
    for key in (b"c", b"another", None, b""):
        assert target(msgspec.structs.replace(event(1, T0), key=key)) == wanted
        assert target(msgspec.structs.replace(labelled(1, T0), key=key)) == wanted


def test_marks_survive_the_header() -> None:
    for mark in (Copied(), Copied(5, None), Copied(None, -1), Copied(T0, T0 + 1)):
        assert copied(Record("scores", 0, 0, None, b"", [("other", None), mark.header()])) == mark
    assert copied(Record("scores", 0, 0, None, b"", [("other", b"1")])) is None


def test_whose_record_it_is_follows_from_what_was_writtenthere() -> None:
    put = [event(n, T0 + n) for n in range(4)]
    marked = [msgspec.structs.replace(record, headers=[Copied().header()], offset=9) for record in put]
    other = msgspec.structs.replace(event(7, T0), headers=[Copied().header()])
    assert list(foreign([marked[0], other, marked[1], put[1], marked[2]], iter(marked))) == [other, put[1]]
    assert list(foreign([other], iter([]))) == [other]


def test_records_go_where_their_key_or_their_card_goes() -> None:
    target = Target("crc32", 7)
    keyed = event(1, T0, subject="c9")
    assert target(keyed) == HASHES["crc32"](b"c9") % 7
    assert target(msgspec.structs.replace(keyed, key=None)) == target(keyed)
    assert target(Record(topics.LABELS, 3, 0, None, b"{")) == 3
    outcome = Record(topics.OUTCOMES, 0, 0, b"m1", b"{}")
    assert target(outcome) == HASHES["murmur2"](b"m1") % 7


def test_a_merge_keeps_each_partition_in_order_and_all_at_one_pace() -> None:
    fast = [event(n, T0 + n * DAY, subject=f"f{n % 20}") for n in range(100)]
    slow = [event(n, T0 + n * HOUR, subject=f"s{n % 20}", partition=1) for n in range(400)]
    # One record of the century to come must not hold its partition back.
    slow[100] = event(100, T0 + 40_000 * DAY, subject="s100", partition=1)
    pieces = [iter([fast[:7], fast[7:]]), iter([slow[n : n + 50] for n in range(0, 400, 50)]), iter([])]
    records = list(merged(pieces))
    assert [r for r in records if r.partition == 0] == fast
    assert [r for r in records if r.partition == 1] == slow
    at = [i for i, r in enumerate(records) if r.partition == 1]
    # 400 hours are 17 days.
    assert sum(r.partition == 0 for r in records[: at[-1]]) == 17
    times = [time_of(r) for r in records if r is not slow[100]]
    assert times == sorted(times, key=lambda time: time or 0)


def test_the_time_of_a_record_is_that_of_its_topic() -> None:
    assert time_of(event(1, T0)) == T0
    assert time_of(Record(topics.SCORES, 0, 0, None, msgspec.json.encode(score("a", T0)))) == T0
    assert time_of(Record(topics.LABELS, 0, 0, None, msgspec.json.encode(label("a", T0, True, T0 + 1)))) == T0 + 1
    assert time_of(Record(topics.OUTCOMES, 0, 0, None, b'{"outcome_time_ms": 7}')) == 7
    assert time_of(Record(topics.ALERTS, 0, 0, None, b"{")) is None
