"""Champion and shadow on the model server: what each answers, and the swap from one to the other."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from features.catalogue.vector import SCHEMA
from serving.client.client import KServeClient
from tests.integration.serving.process import ROWS, Server
from tests.unit.serving.tiny_models import expected

pytestmark = pytest.mark.integration


def test_shadow_scores_travel_beside_the_champions(shadowed: Server, client: KServeClient) -> None:
    prediction = client.predict(ROWS, SCHEMA, 1)
    assert prediction is not None
    assert prediction.shadow_scores is not None
    assert (prediction.version, prediction.shadow_version) == ("v1", "v2")
    np.testing.assert_allclose(prediction.scores, expected(ROWS), rtol=1e-5)
    np.testing.assert_allclose(prediction.shadow_scores, expected(ROWS, 1.0), rtol=1e-5)
    reply = shadowed.post("/v1/models/fraud:predict", {"instances": ROWS.tolist()}).json
    assert reply["shadow_predictions"] == pytest.approx(prediction.shadow_scores.tolist())
    assert shadowed.status["shadow_predictions"] == 2 * len(ROWS)


def test_swaps_under_load_fail_no_request(server: Server) -> None:
    """Ten swaps of champion and shadow while two callers never stop."""
    stop = threading.Event()
    failures: list[str] = []
    seen: list[set[tuple[str, str | None]]] = [set(), set()]
    calls = [0, 0]

    def call(caller: int) -> None:
        client = server.client()
        while not stop.is_set():
            try:
                prediction = client.predict(ROWS, SCHEMA, 1)
                assert prediction is not None
                # The scores are those of the version that signs for them.
                bias = 0.0 if prediction.version == "v1" else 1.0
                np.testing.assert_allclose(prediction.scores, expected(ROWS, bias), rtol=1e-5)
                seen[caller].add((prediction.version, prediction.shadow_version))
            except Exception as error:
                failures.append(repr(error))
            calls[caller] += 1
        client.close()

    threads = [threading.Thread(target=call, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for swap in range(10):
        pair = ("v2", "v1") if swap % 2 == 0 else ("v1", None)
        server.wait_for_generation(server.serve(*pair))
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert min(calls) > 50
    assert seen[0] == {("v1", None), ("v2", "v1")}
    assert server.status["failed_predictions"] == 0


def test_a_broken_version_is_refused(server: Server, client: KServeClient) -> None:
    server.add("v3", b"no onnx at all")
    server.wait_for_generation(server.serve("v3"))
    status = server.status
    assert status["champion"] == "v1"
    assert "model.onnx of v3 is refused" in status["error"]
    prediction = client.predict(ROWS, SCHEMA, 1)
    assert prediction is not None
    assert prediction.version == "v1"
    assert "driftloop_serving_error 1.0" in server.get("/metrics").body.decode()
    server.wait_for_generation(server.serve("v1"))
    assert server.status["error"] is None


def test_metrics_tell_who_answers(shadowed: Server, client: KServeClient) -> None:
    client.predict(ROWS, SCHEMA, 1)
    shadowed.get("/v2/models/fraud/status", token="wrong")
    ports = shadowed.settings.ports
    for port in (ports.rest, ports.metrics["model-server"]):
        text = shadowed.get("/metrics", port=port, token=None).body.decode()
        assert 'driftloop_model_loaded_info{role="champion",version="v1"} 1.0' in text
        assert 'driftloop_model_loaded_info{role="shadow",version="v2"} 1.0' in text
        assert f"driftloop_serving_generation {float(shadowed.store.serving().generation)}" in text
        for name in (
            'predictions_total{role="shadow",version="v2"}',
            'predict_seconds_count{version="v1"}',
            'shadow_predictions{version="v2"} 8.0',
            'rejected_requests_total{reason="not_authorized"}',
        ):
            assert f"driftloop_{name}" in text
