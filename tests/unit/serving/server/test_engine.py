from __future__ import annotations

import numpy as np
import pytest

from features.catalogue.vector import SCHEMA
from serving.server.engine import Engine, Loaded
from serving.server.errors import InvalidVectors, NoChampion, PredictionFailed, WrongSchema
from serving.server.onnx_model import OnnxModel
from tests.unit.serving.tiny_models import WIDTH, expected, make_manifest, onnx_bytes

ROWS = np.ones((3, WIDTH), dtype=np.float32)


def model(version: str, bias: float = 0.0, *, fragile: bool = False) -> OnnxModel:
    data = onnx_bytes(bias=bias, fragile=fragile)
    return OnnxModel(make_manifest(version, data, threshold=0.25), data)


def test_without_a_champion_there_are_no_scores() -> None:
    engine = Engine()
    with pytest.raises(NoChampion, match="no champion yet"):
        engine.answer(ROWS, SCHEMA)
    assert engine.status().failed_predictions == 0


def test_champion_and_shadow_answer_in_one_call() -> None:
    engine = Engine()
    engine.swap(Loaded(1, model("v1"), model("v2", bias=1.0), 17))
    answer = engine.answer(ROWS, SCHEMA, event_time_ms=99)
    np.testing.assert_allclose(answer.scores, expected(ROWS), rtol=1e-6)
    assert answer.shadow_scores is not None
    np.testing.assert_allclose(answer.shadow_scores, expected(ROWS, 1.0), rtol=1e-6)
    assert (answer.version, answer.shadow_version, answer.threshold) == ("v1", "v2", 0.25)
    engine.answer(ROWS[:1], event_time_ms=50)
    status = engine.status()
    assert (status.predictions, status.shadow_predictions, status.last_event_time_ms, status.loaded_at_ms) == (4, 4, 99, 17)


def test_a_failing_shadow_leaves_the_champions_answer() -> None:
    engine = Engine()
    engine.swap(Loaded(1, model("v1"), model("v2", fragile=True)))
    answer = engine.answer(-ROWS)
    np.testing.assert_allclose(answer.scores, expected(-ROWS), rtol=1e-6)
    assert answer.shadow_scores is None
    status = engine.status()
    assert (status.predictions, status.shadow_predictions, status.failed_predictions) == (3, 0, 0)


def test_a_failing_champion_is_counted() -> None:
    engine = Engine()
    engine.swap(Loaded(1, model("v1", fragile=True)))
    with pytest.raises(PredictionFailed, match="version v1"):
        engine.answer(-ROWS)
    status = engine.status()
    assert (status.predictions, status.failed_predictions) == (0, 3)


def test_wrong_vectors_are_refused_and_not_counted() -> None:
    engine = Engine()
    engine.swap(Loaded(1, model("v1")))
    with pytest.raises(WrongSchema, match=f"'schema' is other, version v1 takes {SCHEMA}"):
        engine.answer(ROWS, "other")
    with pytest.raises(InvalidVectors, match="shape"):
        engine.answer(ROWS[:, 1:])
    with pytest.raises(InvalidVectors, match="feature 'amount' is nan"):
        engine.answer(ROWS * np.nan)
    status = engine.status()
    assert (status.predictions, status.failed_predictions) == (0, 0)


def test_the_shadows_count_begins_anew_with_each_shadow() -> None:
    engine = Engine()
    champion, two, three = model("v1"), model("v2"), model("v3")
    engine.swap(Loaded(1, champion, two))
    engine.answer(ROWS)
    engine.swap(Loaded(2, champion, two))
    assert engine.status().shadow_predictions == 3
    engine.swap(Loaded(3, champion, three))
    assert engine.status().shadow_predictions == 0
    engine.swap(Loaded(4, three))
    assert engine.answer(ROWS).version == "v3"
    assert engine.status().predictions == 6
