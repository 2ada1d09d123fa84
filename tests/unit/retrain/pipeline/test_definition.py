from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.filterwarnings("ignore")  # kfp's own deprecations, at import


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    from retrain.pipeline.compile_ir import write

    path = tmp_path_factory.mktemp("ir") / "pipeline.yaml"
    write(path)
    spec: dict[str, Any] = yaml.safe_load(path.read_text())
    return spec


def test_the_yaml_is_a_pipeline_spec(compiled: dict[str, Any]) -> None:
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2

    spec = json_format.ParseDict(compiled, pipeline_spec_pb2.PipelineSpec())
    assert spec.pipeline_info.name == "driftloop-train"
    assert set(spec.root.input_definitions.parameters) == {"settings_dir", "run_dir", "request"}


def test_the_steps_are_there_in_order_and_deploy_waits_for_the_gate(compiled: dict[str, Any]) -> None:
    tasks = compiled["root"]["dag"]["tasks"]
    assert set(tasks) == {"prepare", "features", "train", "evaluate", "gate", "register", "condition-1"}
    assert "gate" in tasks["condition-1"]["dependentTasks"]
    assert tasks["condition-1"]["triggerPolicy"]["condition"].endswith("== 'passed'")
    assert list(_inner(compiled)) == ["deploy"]


def test_steps_with_outside_effects_are_retried_and_none_is_cached(compiled: dict[str, Any]) -> None:
    tasks = {**compiled["root"]["dag"]["tasks"], **_inner(compiled)}
    retries = {name: task["retryPolicy"]["maxRetryCount"] for name, task in tasks.items() if "retryPolicy" in task}
    assert retries == {"features": 1, "register": 1, "deploy": 2}
    assert not any(task.get("cachingOptions", {}).get("enableCache", False) for task in tasks.values())


def test_another_ending_is_refused(tmp_path: Path) -> None:
    from retrain.pipeline.compile_ir import write

    with pytest.raises(ValueError, match=r"\.yaml"):
        write(tmp_path / "pipeline.json")


def _inner(compiled: dict[str, Any]) -> dict[str, Any]:
    tasks: dict[str, Any] = compiled["components"]["comp-condition-1"]["dag"]["tasks"]
    return tasks
