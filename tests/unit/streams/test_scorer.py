"""The scorer's core: what it publishes for good, bad, unscored and degraded batches."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from features.events import Alert, DeadLetter, Score, Transaction
from features.online import ProfilesUnavailable
from features.prediction import ModelUnavailable, Prediction
from features.profiles import Profiles, unknown
from features.reading import Reader
from features.settings import Features, Labels
from features.vector import INDEX, WIDTH, unpacked
from streams import topics
from streams.core import Output, Record
from streams.scorer import Scorer

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

    def read(self, card_ids: Sequence[str], terminal_ids: Sequence[str]) -> Profiles:
        if not self.up:
            raise ProfilesUnavailable("Redis is away")
        found = unknown(len(card_ids))
        times = found.customer_ts_ms.copy()
        for i, card in enumerate(card_ids):
            if card != "unknown":
                found.customer[i] = 0.0
                found.customer[i, :4] = (48.0, 11.0, 20.0, 7.0)
                times[i] = START - 1000
        return dataclasses.replace(found, customer_ts_ms=times)


def records(*transactions: Transaction, partition: int = 0, first: int = 0) -> list[Record]:
    encode = msgspec.json.encode
    return [Record(topics.TRANSACTIONS, partition, first + i, t.card_id.encode(), encode(t)) for i, t in enumerate(transactions)]


def transaction(n: int, amount: int = 1000, card: str = "c1") -> Transaction:
    return Transaction(f"t{n}", START + n * 60_000, card, "m1", amount, latitude=48.0, longitude=11.0)


def scorer(
    model: Model | None = None,
    store: Store | None = None,
    stopping: threading.Event | None = None,
    features: Features | None = None,
) -> Scorer:
    reader = Reader(store or Store())
    return Scorer("fraud", model or Model(), reader, Labels(delay_days=7.0), features or Features(), stopping)


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
    assert (first.decision, first.model_version, first.threshold) == ("approve", "v3", 0.5)
    assert value(second, "count_1d") == 2
    assert value(first, "distance_from_home") == 0
    assert first.profile_age_ms == 1000


def test_a_high_score_gives_an_alert_with_reasons() -> None:
    output = scorer().process(records(transaction(0, 1000), transaction(1, 90_000)))
    [alert] = [msgspec.json.decode(v, type=Alert) for v in of(output, topics.ALERTS)]
    assert alert.transaction.transaction_id == "t1"
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
        Record(topics.TRANSACTIONS, 0, 1, b"k", b'{"transaction_id": 5}'),
        *records(transaction(2), first=2),
    ]
    output = scorer().process(batch)
    [letter] = [msgspec.json.decode(v, type=DeadLetter) for v in of(output, topics.DLQ)]
    assert (letter.topic, letter.partition, letter.offset, letter.processor) == ("transactions", 0, 1, "scorer")
    assert letter.value == b'{"transaction_id": 5}'
    assert "transaction_id" in letter.message
    assert [s.transaction.transaction_id for s in scores(output)] == ["t0", "t2"]


def test_without_redis_the_last_known_profiles_serve_and_the_score_says_degraded() -> None:
    store = Store()
    core = scorer(store=store)
    core.process(records(transaction(0)))
    store.up = False
    known, unknown = scores(core.process(records(transaction(1), transaction(2, card="c2"))))
    assert known.degraded
    assert value(known, "distance_from_home") == 0
    assert value(unknown, "distance_from_home") == -1


def test_the_batch_waits_for_the_model_server_and_is_scored_once() -> None:
    model = Model(failures=2)
    [score] = scores(scorer(model).process(records(transaction(0))))
    assert model.calls == 3
    assert value(score, "count_1d") == 1


def test_a_stop_ends_the_waiting() -> None:
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(ModelUnavailable):
        scorer(Model(failures=10), stopping=stopping).process(records(transaction(0)))


def test_restored_state_gives_the_vectors_of_an_unbroken_run() -> None:
    batch = records(*(transaction(i, 100 * (i + 1)) for i in range(6)))
    whole = [s.features for s in scores(scorer().process(batch))]
    again = scorer()
    again.restore(batch[:4])
    assert [s.features for s in scores(again.process(batch[4:]))] == whole[4:]


def test_forgotten_partitions_start_cold() -> None:
    core = scorer()
    core.process(records(transaction(0)))
    core.forget([(topics.TRANSACTIONS, 0)])
    [score] = scores(core.process(records(transaction(1))))
    assert value(score, "count_1d") == 1


def test_the_models_are_asked_by_the_schema_of_the_amount_limit() -> None:
    """A server whose model was trained with another limit refuses that schema."""
    for features, above in ((Features(), 0.0), (Features(amount_limit=9), 1.0)):
        model = Model()
        [score] = scores(scorer(model, features=features).process(records(transaction(0, 1000))))
        assert model.schema == score.schema == features.vector_schema
        assert unpacked(score.features)[INDEX["amount_above_limit"]] == above
        assert score.unusual == bool(above)
