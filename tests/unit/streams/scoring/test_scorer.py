"""The scorer's core: what it publishes for good, bad, unscored and degraded batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from features.base.events import Alert, DeadLetter, Score
from features.base.model_client import ModelUnavailable, Prediction
from features.base.sections import Features, Labels, Scoring
from features.base.settings import Settings
from features.catalogue.vector import INDEX, WIDTH, unpacked, vector_schema
from features.domains.card_fraud.event import Payment
from features.online.cached_reader import Reader
from features.online.store import ProfilesUnavailable
from features.transform.profiles import Profiles, unknown
from streams import topics
from streams.engine.core import Output
from streams.engine.repartition_header import Copied
from streams.kafka.records import Record
from streams.scoring import fallback_rules, metrics
from streams.scoring.scorer import Scorer

START = 1_767_571_200_000


class Model:
    """A model of the test's own: the score is the amount over 1,000."""

    def __init__(self, champion: bool = True, failures: int = 0) -> None:
        self.champion = champion
        self.failures = failures
        self.calls = 0
        self.schema = ""

    def predict(self, vectors: NDArray[np.float32], schema: str, event_time_ms: int) -> Prediction | None:
        self.calls += 1
        if self.failures:
            self.failures -= 1
            raise ModelUnavailable("away")
        self.schema = schema
        assert vectors.shape[1] == WIDTH
        assert np.isfinite(vectors).all()
        if not self.champion:
            return None
        return Prediction(np.minimum(vectors[:, INDEX["amount"]] / 1000, 1).astype(np.float32), 0.5, "v3")

    def close(self) -> None:
        pass


class Store:
    """Profiles of every card but the unknown one; ``up`` False: it does not answer."""

    up = True

    def read(self, subjects: Sequence[str], counterparts: Sequence[str]) -> Profiles:
        if not self.up:
            raise ProfilesUnavailable("Redis is away")
        profiles = unknown(len(subjects))
        times = profiles.owner_ts_ms.copy()
        for i, subject in enumerate(subjects):
            if subject != "unknown":
                profiles.owner[i] = 0.0
                profiles.owner[i, :4] = (48.0, 11.0, 20.0, 7.0)
                times[i] = START - 1000
        none = np.zeros(len(counterparts), dtype=np.int64)
        return dataclasses.replace(profiles, owner_ts_ms=times, begin=none, end=none, counterpart_ts_ms=none)


def records(*transactions: Payment, partition: int = 0, first: int = 0) -> list[Record]:
    encode = msgspec.json.encode
    return [Record(topics.EVENTS, partition, first + i, t.subject.encode(), encode(t)) for i, t in enumerate(transactions)]


def transaction(n: int, amount: int = 1000, subject: str = "c1") -> Payment:
    return Payment(f"t{n}", START + n * 60_000, subject, "m1", amount, latitude=48.0, longitude=11.0)


def scorer(
    model: Model | None = None, store: Store | None = None, scoring: Scoring | None = None, features: Features | None = None
) -> Scorer:
    settings = Settings(labels=Labels(delay_days=7.0), scoring=scoring or Scoring(), features=features or Features())
    return Scorer(settings, model or Model(), Reader(store or Store()), wait=lambda seconds: None)


def of(output: Output, topic: str) -> list[bytes]:
    return [p.value for p in output.produce if p.topic == topic]


def scores(output: Output) -> list[Score]:
    return [msgspec.json.decode(v, type=Score) for v in of(output, topics.SCORES)]


def value(score: Score, feature: str) -> float:
    return float(unpacked(score.features)[INDEX[feature]])


def test_each_transaction_gets_one_score_on_its_own_partition() -> None:
    output = scorer().process(records(transaction(0), transaction(1), partition=3))
    assert [p.partition for p in output.produce] == [3, 3]
    first, second = scores(output)
    assert (first.decision, first.model_version, first.threshold) == ("pass", "v3", 0.5)
    assert value(second, "count_1d") == 2
    assert value(first, "distance_from_home") == 0
    assert first.profile_age_ms == 1000


def test_a_high_score_gives_an_alert_with_reasons() -> None:
    output = scorer().process(records(transaction(0, 1000), transaction(1, 90_000)))
    [alert] = [msgspec.json.decode(v, type=Alert) for v in of(output, topics.ALERTS)]
    assert alert.event.event_id == "t1"
    assert alert.reasons == ["HIGH_FOR_CARD"]
    assert alert.evidence == {"ratio_to_mean_30d": 90.0}


def test_without_a_champion_vectors_are_published_unscored() -> None:
    output = scorer(Model(champion=False)).process(records(transaction(0, 99_000)))
    [score] = scores(output)
    assert (score.decision, score.score, score.model_version) == ("unscored", None, None)
    assert of(output, topics.ALERTS) == []
    assert len(score.features) == 4 * WIDTH


def test_a_bad_record_goes_to_the_dlq_with_its_place_and_the_rest_is_scored() -> None:
    batch = [
        *records(transaction(0)),
        Record(topics.EVENTS, 0, 1, b"k", b'{"transaction_id": 5}'),
        *records(transaction(2), first=2),
    ]
    output = scorer().process(batch)
    [letter] = [msgspec.json.decode(v, type=DeadLetter) for v in of(output, topics.DLQ)]
    assert (letter.topic, letter.partition, letter.offset, letter.processor) == ("transactions", 0, 1, "scorer")
    assert letter.value == b'{"transaction_id": 5}'
    assert "transaction_id" in letter.message
    assert [s.event.event_id for s in scores(output)] == ["t0", "t2"]


def test_without_redis_the_last_known_profiles_serve_and_the_score_says_degraded() -> None:
    store = Store()
    core = scorer(store=store)
    core.process(records(transaction(0)))
    store.up = False
    known, unknown = scores(core.process(records(transaction(1), transaction(2, subject="c2"))))
    assert known.degraded
    assert value(known, "distance_from_home") == 0
    assert value(unknown, "distance_from_home") == -1


def test_the_batch_waits_for_the_model_server_and_is_scored_once() -> None:
    model = Model(failures=2)
    [score] = scores(scorer(model).process(records(transaction(0))))
    assert model.calls == 3
    assert value(score, "count_1d") == 1


def test_what_the_wait_raises_ends_the_waiting() -> None:
    class Over(Exception):
        pass

    def over(seconds: float) -> None:
        raise Over

    core = scorer(Model(failures=10))
    core.wait_with(over)
    with pytest.raises(Over):
        core.process(records(transaction(0)))


def test_rules_score_where_they_may_and_say_so_until_the_model_server_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model(failures=3)
    core = scorer(model, scoring=Scoring(fallback="rules", fallback_after_s=0))
    plain, high = scores(core.process(records(transaction(0), transaction(1, 90_000))))
    assert (plain.model, plain.model_version, plain.degraded, plain.decision) == (
        "rules",
        fallback_rules.VERSION,
        True,
        "pass",
    )
    assert (high.model, high.degraded, high.decision) == ("rules", True, "alert")
    assert model.calls == 1
    core.process(records(transaction(2), first=2))
    assert model.calls == 1, "it is left alone for a moment"
    for n in range(3, 6):
        monkeypatch.setattr(core, "_ask_again_at", 1e-9)
        [last] = scores(core.process(records(transaction(n), first=n)))
    assert (last.model, last.model_version, last.degraded) == ("fraud", "v3", False)


def test_a_repeated_transaction_is_dropped_and_a_contradicting_one_is_a_dead_letter() -> None:
    core = scorer()
    first = core.process(records(transaction(0), transaction(0), transaction(1)))
    assert [s.event.event_id for s in scores(first)] == ["t0", "t1"]
    assert of(first, topics.DLQ) == []
    again = core.process(records(transaction(1), transaction(0, amount=999), transaction(2), first=3))
    assert [s.event.event_id for s in scores(again)] == ["t2"]
    assert value(scores(again)[0], "count_1d") == 3
    [letter] = [msgspec.json.decode(v, type=DeadLetter) for v in of(again, topics.DLQ)]
    assert (letter.error, letter.offset) == ("ConflictingTransaction", 4)


def test_a_transaction_from_the_future_is_a_dead_letter_and_leaves_no_trace() -> None:
    """It comes first, and what its card, the clock and the ids say afterwards is as if it had never come."""
    hour = 60
    early, late = transaction(1000 * 24 * hour), transaction(2)
    plain, core, replayed = scorer(), scorer(), scorer()
    stamp = START + hour * 60_000
    stamped = [msgspec.structs.replace(r, appended_ms=stamp) for r in records(early, transaction(0), transaction(1), late)]
    output = core.process(stamped)
    [letter] = [msgspec.json.decode(v, type=DeadLetter) for v in of(output, topics.DLQ)]
    assert (letter.error, letter.offset) == ("EventAhead", 0)
    assert "event_time_ms is 1000.0 days ahead" in letter.message
    assert [s.features for s in scores(output)] == [s.features for s in scores(plain.process(stamped[1:]))]
    replayed.restore(stamped)
    after = records(transaction(3), first=4)
    vectors = [scores(processor.process(after))[0].features for processor in (core, plain, replayed)]
    assert vectors[0] == vectors[1] == vectors[2]
    # When its time has come, it is one like any other.
    again = msgspec.structs.replace(stamped[0], offset=5, appended_ms=early.event_time_ms + 1)
    assert [s.event.event_time_ms for s in scores(core.process([again]))] == [early.event_time_ms]


def test_a_header_of_a_producer_lets_no_repeated_payment_in() -> None:
    """Copies of a repartition are read again, never processed; their header on a record that comes now is somebody else's."""
    core, marked = scorer(), [Copied().header()]
    repeated = [msgspec.structs.replace(r, headers=marked) for r in records(transaction(0), transaction(0, 2000), first=1)]
    core.process(records(transaction(0)))
    output = core.process(repeated)
    assert scores(output) == []
    assert [msgspec.json.decode(v, type=DeadLetter).error for v in of(output, topics.DLQ)] == ["ConflictingTransaction"]
    again = scorer()
    again.restore([*records(transaction(0)), *repeated])
    assert value(scores(again.process(records(transaction(1), first=3)))[0], "count_1d") == 4


def test_any_time_is_taken_where_there_is_no_limit_or_no_broker_clock() -> None:
    far = records(transaction(0), transaction(1000 * 24 * 60))
    assert len(scores(scorer().process(far))) == 2
    stamped = [msgspec.structs.replace(r, appended_ms=START) for r in far]
    assert len(scores(scorer(scoring=Scoring(allowed_lead_hours=0)).process(stamped))) == 2
    assert len(scores(scorer().process(stamped))) == 1


def test_a_transaction_far_behind_the_others_is_scored_and_flagged() -> None:
    core = scorer(scoring=Scoring(allowed_lateness_hours=1))
    core.process(records(*(transaction(100 + i, subject=f"c{i}") for i in range(8))))
    late, timely = scores(core.process(records(transaction(0), transaction(50), first=8)))
    assert late.late
    assert not timely.late
    assert value(late, "count_1d") == 1


def test_scores_are_cold_until_the_longest_window_has_passed_the_loss() -> None:
    core = scorer()
    core.begins_late(0)
    day = 24 * 60
    cold, warm = scores(core.process(records(transaction(0), transaction(90 * day))))
    assert cold.cold
    assert not warm.cold
    again = scorer()
    copy = core.copy(0)
    while not copy.done:
        copy.step()
    again.load(0, copy.arrays())
    [still] = scores(again.process(records(transaction(89 * day, subject="c9"), first=2)))
    assert still.cold


def test_a_snapshot_taken_while_the_stream_goes_on_is_the_state_of_its_beginning() -> None:
    settings = Settings()
    settings.snapshots.subjects_a_step = 1
    batch = records(*(transaction(i, 100 * (i + 1), subject=f"c{i % 5}") for i in range(40)))
    running = Scorer(settings, Model(), Reader(Store()))
    running.process(batch[:20])
    copy = running.copy(0)
    seen = []
    for i in range(20, 30):
        copy.step()
        seen += scores(running.process(batch[i : i + 1]))
    while not copy.done:
        copy.step()
    again = Scorer(settings, Model(), Reader(Store()))
    again.load(0, copy.arrays())
    # The first record was before the snapshot: it is known as a duplicate.
    assert again.process(batch[:1]).produce == []
    assert [s.features for s in scores(again.process(batch[20:30]))] == [s.features for s in seen]


def test_restored_state_gives_the_vectors_of_an_unbroken_run() -> None:
    batch = records(*(transaction(i, 100 * (i + 1)) for i in range(6)))
    whole = [s.features for s in scores(scorer().process(batch))]
    again = scorer()
    again.restore(batch[:4])
    assert [s.features for s in scores(again.process(batch[4:]))] == whole[4:]


def test_forgotten_partitions_start_cold() -> None:
    core = scorer()
    core.process(records(transaction(0)))
    core.forget([(topics.EVENTS, 0)])
    [score] = scores(core.process(records(transaction(1))))
    assert value(score, "count_1d") == 1


def test_the_models_are_asked_by_the_schema_of_the_amount_limit() -> None:
    """A server whose model was trained with another limit refuses that schema."""
    for features, above in ((Features(), 0.0), (Features(measure_limit=9), 1.0)):
        model = Model()
        [score] = scores(scorer(model, features=features).process(records(transaction(0, 1000))))
        assert model.schema == score.schema == vector_schema(features)
        assert unpacked(score.features)[INDEX["amount_above_limit"]] == above
        assert score.unusual == bool(above)


def counted() -> dict[str, float]:
    """What the metrics page says of what came out."""
    return {
        "pass": metrics.SCORES.labels("pass")._value.get(),
        "alert": metrics.SCORES.labels("alert")._value.get(),
        "degraded": metrics.DEGRADED._value.get(),
        "late": metrics.LATE._value.get(),
        "repeated": metrics.DUPLICATES._value.get(),
        "values": metrics.SCORE_VALUE._sum,
    }


def test_only_what_is_committed_is_counted_and_once() -> None:
    store = Store()
    store.up = False
    core = scorer(store=store)
    batch = records(transaction(0), transaction(1, amount=90_000), transaction(0))
    before = counted()
    given_up = core.process(batch)
    assert len(scores(given_up)) == 2
    core.forget([(topics.EVENTS, 0)])
    core.restore(batch)
    core.forget([(topics.EVENTS, 0)])
    assert counted() == before
    for count_them in core.process(batch).counted:
        count_them()
    gained = {name: value - before[name] for name, value in counted().items()}
    assert gained == {"pass": 1, "alert": 1, "degraded": 2, "late": 0, "repeated": 1, "values": pytest.approx(0.91)}


def test_pauses_for_the_model_server_grow_up_to_a_bound_and_differ() -> None:
    """So that scorers that lost it together do not all come back at once."""

    def waits() -> list[float]:
        pauses: list[float] = []
        settings = Settings(labels=Labels(delay_days=7.0))
        core = Scorer(settings, Model(failures=12), Reader(Store()), wait=pauses.append)
        assert len(scores(core.process(records(transaction(0))))) == 1
        return pauses

    first, second = waits(), waits()
    assert len(first) == len(second) == 12
    longest = [min(0.05 * 2**n, 2.0) for n in range(12)]
    assert all(most / 2 <= pause <= most for pause, most in zip(first, longest, strict=True))
    assert first != second
