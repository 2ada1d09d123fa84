"""The dashboards in the repository: up to date, well formed, and asking for nothing that no process declares."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import grimp
import pytest
from prometheus_client.metrics import MetricWrapperBase

from dashboards import build
from dashboards.check import Exposed, missing_metrics, wrong_processes
from retrain.control import metrics as control
from serving.server import metrics as serving
from streams.drift import metrics as drift
from streams.engine import metrics as engine
from streams.engine.batch_histogram import BatchHistogram
from streams.kafka import metrics as kafka
from streams.labels import metrics as labels
from streams.scoring import metrics as scoring
from streams.topology import TOPOLOGY

#: Which module's metrics each process exposes.
MODULES: dict[str, list[ModuleType]] = {
    "scorer": [engine, kafka, scoring],
    "writers": [engine, kafka, labels],
    "drift-monitor": [engine, kafka, drift],
    "control": [control, engine, kafka],
    "model-server": [serving],
}
SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}


def _declared(module: ModuleType) -> Exposed:
    exposed: Exposed = {}
    for metric in vars(module).values():
        if isinstance(metric, MetricWrapperBase):
            for suffix in SUFFIXES[metric._type or ""]:
                # The labels of a metric without samples can be seen nowhere else.
                exposed[metric._name + suffix] = {*metric._labelnames, *(["le"] if suffix == "_bucket" else [])}
        elif isinstance(metric, BatchHistogram):
            exposed |= {metric.name + "_bucket": {"le"}, metric.name + "_count": set(), metric.name + "_sum": set()}
    return exposed


BY_PROCESS: dict[str, Exposed] = {
    process: {name: labels for module in modules for name, labels in _declared(module).items()}
    for process, modules in MODULES.items()
}
TOGETHER: Exposed = {name: labels for exposed in BY_PROCESS.values() for name, labels in exposed.items()}


@pytest.fixture(params=["loop", "drift"])
def dashboard(request: pytest.FixtureRequest) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((build.FOLDER / f"{request.param}.json").read_text())
    return value


def test_files_are_up_to_date() -> None:
    assert build.main(["--check"]) == 0, "run python -m dashboards.build"


def test_queries_ask_for_declared_metrics_and_labels(dashboard: dict[str, Any]) -> None:
    assert missing_metrics(dashboard, TOGETHER) == []
    assert wrong_processes(dashboard, BY_PROCESS) == []


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph(
        "features", "streams", "serving", "retrain", "infra", exclude_type_checking_imports=True, cache_dir=None
    )


@pytest.mark.parametrize("process", MODULES)
def test_each_process_exposes_the_metrics_of_what_it_is_built_of(imports: grimp.ImportGraph, process: str) -> None:
    reached: set[str] = set()
    for name in TOPOLOGY.processes[process]:
        built_by = TOPOLOGY[name].build.partition(":")[0]
        reached |= imports.find_upstream_modules(built_by) | {built_by}
    assert {name for name in reached if name.endswith(".metrics")} == {module.__name__ for module in MODULES[process]}


def test_each_process_of_the_topology_has_its_metrics_listed() -> None:
    assert set(MODULES) == set(TOPOLOGY.processes)


def test_a_metric_without_labels_is_of_one_process() -> None:
    # Every process that imports the module exposes such a metric, at zero: panels would show the wrong one.
    processes = Counter(module.__name__ for modules in MODULES.values() for module in modules)
    shared = [module for module in (control, drift, engine, kafka, labels, scoring, serving) if processes[module.__name__] > 1]
    assert shared == [engine, kafka]
    assert [name for module in shared for name, labels in _declared(module).items() if not labels - {"le"}] == []


def test_metrics_of_streams_stand_in_their_rooms() -> None:
    """Each in a ``metrics.py``, which the dashboards are checked against."""
    folder = Path(engine.__file__).parents[1]
    declares = re.compile(r"^[A-Z_]+ = (Counter|Gauge|(Batch)?Histogram|Summary)\(", re.MULTILINE)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*.py") if declares.search(path.read_text())}
    assert files == {f"{room}/metrics.py" for room in ("drift", "engine", "kafka", "labels", "scoring")}


def test_panels_have_titles_descriptions_ids_and_do_not_overlap(dashboard: dict[str, Any]) -> None:
    panels = dashboard["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["title"]
        assert panel["type"] == "row" or panel["description"]
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        own = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not own & cells, panel["title"]
        cells |= own


def test_check_names_what_is_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "FOLDER", tmp_path / "json")
    assert build.main(["--check"]) == 1
    assert "loop.json is out of date" in capsys.readouterr().err
    assert build.main([]) == 0
    assert build.main(["--check"]) == 0
