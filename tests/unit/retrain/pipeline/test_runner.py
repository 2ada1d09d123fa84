from __future__ import annotations

import fcntl
from collections.abc import Mapping
from pathlib import Path

import pytest

import tests.object_store  # noqa: F401 - registers strict://
from features.base.events import RetrainRequest
from features.base.sections import Storage
from features.base.settings import Settings
from features.base.storage import open_store
from retrain.pipeline import runner, step_record
from retrain.pipeline.result import FILE_NAME


def _steps(run_dir: Path, **details: Mapping[str, object]) -> None:
    for step, values in details.items():
        with step_record.recorded(run_dir, step) as record:
            record.update(values)


def test_a_passed_and_deployed_run_is_registered(tmp_path: Path) -> None:
    _steps(
        tmp_path,
        gate={"passed": True, "reason": "good"},
        register={"version": "v2", "state": "registered", "metrics": {"ap": 0.5}},
        deploy={"serving": "shadow", "previous": "v1"},
    )
    result = runner.collect(tmp_path, None)
    assert (result.state, result.version, result.serving, result.previous) == ("registered", "v2", "shadow", "v1")
    assert result.metrics == {"ap": 0.5}
    assert set(result.seconds) == {"gate", "register", "deploy"}


def test_a_rejected_run_has_its_version_and_reason(tmp_path: Path) -> None:
    register = {"version": "v2", "state": "rejected", "metrics": {}}
    _steps(tmp_path, gate={"passed": False, "reason": "worse"}, register=register)
    result = runner.collect(tmp_path, None)
    assert (result.state, result.version, result.serving, result.reason) == ("rejected", "v2", "none", "worse")


def test_a_skipped_deployment_is_a_failure_not_a_success(tmp_path: Path) -> None:
    _steps(tmp_path, gate={"passed": True, "reason": "good"}, register={"version": "v2", "state": "registered", "metrics": {}})
    assert runner.collect(tmp_path, None).state == "failed"


def test_a_failed_step_gives_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no labels"), step_record.recorded(tmp_path, "train"):
        raise ValueError("no labels\nand much more")
    result = runner.collect(tmp_path, "Pipeline finished with status FAILURE")
    assert (result.state, result.reason) == ("failed", "train: no labels")


def test_a_step_that_left_no_record_gives_the_runner_s_words(tmp_path: Path) -> None:
    assert runner.collect(tmp_path, "killed").reason == "killed"


def test_a_busy_folder_is_refused_and_a_finished_one_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = RetrainRequest("k", "fraud", "manual", 1_735_689_600_000)
    monkeypatch.setattr(runner, "LOCK_WAIT_S", 0.1)
    with (tmp_path / step_record.LOCK).open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(runner.RunBusy, match="another process"):
            runner.run(request, Settings(), tmp_path)
    (tmp_path / FILE_NAME).write_text('{"state": "rejected", "version": "v9"}')
    assert runner.run(request, Settings(), tmp_path).version == "v9"


class Counted:
    """In place of the pipeline: steps that register a version, and how often they ran."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, request: RetrainRequest, settings: Settings, run_dir: Path) -> None:
        self.runs += 1
        register = {"version": "v2", "state": "registered", "metrics": {}}
        _steps(run_dir, gate={"reason": "good"}, register=register, deploy={"serving": "shadow", "previous": None})


def in_place_of_the_pipeline(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_run_pipeline", counted)
    # A step is a process of its own, which ends with the runner: here it would be the test's.
    monkeypatch.setattr(step_record, "_end_with_runner", lambda _: None)


class Away:
    """A store that cannot be written."""

    def read(self, name: str) -> bytes:
        raise FileNotFoundError(name)

    def write(self, name: str, data: bytes) -> None:
        raise ConnectionError("no route")


REQUEST = RetrainRequest("k", "fraud", "manual", 1_735_689_600_000)


def test_what_lasts_of_a_run_is_put_where_the_settings_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipeline itself is not what is tried here: a stand-in leaves the records of its steps."""
    pipeline = Counted()
    in_place_of_the_pipeline(pipeline, monkeypatch)
    url = f"strict:/{tmp_path}/runs"
    settings, other = (Settings(dir=tmp_path / name, storage=Storage(runs=url)) for name in ("one", "other"))
    first = runner.run(REQUEST, settings, settings.runs / "run-1")
    assert first.state == "registered"
    store = open_store(url, "storage.runs")
    assert store.names("run-1") == ["result.json", "steps"]
    assert store.names("run-1/steps") == ["deploy.json", "gate.json", "register.json"]
    assert store.read("run-1/result.json") == (settings.runs / "run-1" / "result.json").read_bytes()
    assert (runner.run(REQUEST, other, other.runs / "run-1"), pipeline.runs) == (first, 1)


def test_a_store_that_is_away_does_not_undo_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    in_place_of_the_pipeline(Counted(), monkeypatch)
    monkeypatch.setattr(runner, "open_store", lambda *_: Away())
    settings = Settings(dir=tmp_path, storage=Storage(runs="strict://away"))
    assert runner.run(REQUEST, settings, settings.runs / "run-1").state == "registered"
    assert "could not be put to storage.runs" in caplog.text
