"""Control on a real broker: requests in, model events out, through kill -9. The pipeline is a script that only waits.

Roll-backs on the real model store and model server, too, by the command line.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import KafkaError, TopicPartition

from features.base.events import Cause, DeadLetter, ModelEvent, RetrainRequest
from features.base.settings import Settings
from features.base.web_client import open_url
from infra.cli import main
from infra.cli.commands import rollback
from infra.inspect.publish import publish
from infra.inspect.tail import bounds
from infra.platform.lag import group_lags
from retrain.control.launcher import COMMAND_VARIABLE
from retrain.control.run_records import run_id
from serving.rollout.transitions import on_registered
from serving.store.model_store import ModelStore
from streams import topics
from streams.kafka.clients import consumer, producer
from tests.unit.serving.tiny_models import make_manifest, onnx_bytes, version_folder

pytestmark = pytest.mark.integration

MODEL = "control-test"
START = 1_700_000_000_000
HOUR = 3_600_000
PIPELINE = """
import json, pathlib, sys, time
folder = pathlib.Path(sys.argv[sys.argv.index("--run-dir") + 1])
request = json.loads(pathlib.Path(sys.argv[sys.argv.index("--request") + 1]).read_text())
with (folder.parent / "starts").open("a") as starts:
    starts.write(request["idempotency_key"] + "\\n")
if request["evidence"].get("fail"):
    sys.exit(3)
while request["evidence"].get("wait") and not (folder / "go").exists():
    time.sleep(0.02)
result = {"state": "rejected", "reason": "no better", "metrics": {"ap": 0.5, "roc_auc": None}}
(folder / "result.json").write_text(json.dumps(result))
"""
MAIN = "from features.base.settings import load; from retrain.control.faust.app import main; main(load())"
SERVER = "from features.base.settings import load; from serving.server.main import main; main(load())"


class Control:
    """Control as a child process, with what a test asks of it."""

    def __init__(self, settings: Settings, pipeline: Path) -> None:
        self.settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._log = settings.dir / "control-test.log"
        self._env = {
            **os.environ,
            "DRIFTLOOP_DIR": str(settings.dir),
            "DRIFTLOOP_MODEL": MODEL,
            COMMAND_VARIABLE: shlex.join([sys.executable, str(pipeline)]),
        }
        self._producer = producer(settings, transactional_id="control-test")
        self._producer.init_transactions(30)

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([sys.executable, "-c", MAIN], env=self._env, stdout=log, stderr=log)
        self.wait_for(self._healthy, 60)

    def end(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(30)

    def status(self) -> dict[str, Any]:
        with open_url(f"http://127.0.0.1:{self.settings.ports.control}/status", 10) as answer:
            status: dict[str, Any] = json.load(answer)
            return status

    def send(self, *values: bytes) -> None:
        """In a transaction, as the drift monitor writes: its marker takes an offset behind the records."""
        self._producer.begin_transaction()
        for value in values:
            self._producer.produce(topics.RETRAIN_REQUESTS, value, MODEL.encode())
        self._producer.commit_transaction(30)

    def settle(self) -> dict[str, Any]:
        """Wait until control is at rest; return its status."""
        self.wait_for(lambda: self.status()["idle"])
        return self.status()

    def starts(self) -> list[str]:
        path = self.settings.runs / "starts"
        return path.read_text().split() if path.exists() else []

    def wait_for(self, what: Callable[[], bool], seconds: float = 30, other: subprocess.Popen[bytes] | None = None) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert other is None or other.poll() is None, f"ended with {other.returncode}"
            assert self._process is None or self._process.poll() is None, self._log.read_text()[-3000:]
            assert time.monotonic() < deadline, self._log.read_text()[-3000:]
            time.sleep(0.05)

    def _healthy(self) -> bool:
        try:
            with open_url(f"http://127.0.0.1:{self.settings.ports.metrics['control']}/healthz", 5):
                return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


@pytest.fixture(scope="module")
def control(platform: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    script = tmp_path_factory.mktemp("pipeline") / "pipeline.py"
    script.write_text(PIPELINE)
    control = Control(platform, script)
    control.start()
    yield control
    control.end(signal.SIGTERM)


def request(key: str, cause: Cause = "manual", hours: int = 0, **evidence: Any) -> bytes:
    return msgspec.json.encode(RetrainRequest(key, MODEL, cause, START + hours * HOUR, evidence=evidence))


def read(settings: Settings, topic: str) -> list[bytes]:
    reader = consumer(settings, "control-test-reader")
    reader.assign([TopicPartition(topic, 0, 0)])
    values: list[bytes] = []
    try:
        while True:
            message = reader.poll(10)
            assert message is not None
            error = message.error()
            if error is not None:
                assert error.code() == KafkaError._PARTITION_EOF
                return values
            values.append(message.value() or b"")
    finally:
        reader.close()


def events(settings: Settings, key: str) -> list[ModelEvent]:
    every = [msgspec.json.decode(value, type=ModelEvent) for value in read(settings, topics.MODEL_EVENTS)]
    return [event for event in every if event.idempotency_key == key]


def test_a_request_becomes_one_run_and_its_events(control: Control) -> None:
    control.send(request("one", "no_champion"))
    control.settle()
    run_events = events(control.settings, "one")
    assert [event.state for event in run_events] == ["requested", "running", "rejected"]
    assert run_events[-1].metrics == {"ap": 0.5}
    assert run_events[-1].run_id == run_id("one", 1)
    control.send(request("one", hours=500))
    control.settle()
    again = events(control.settings, "one")[3:]
    assert [event.state for event in again] == ["requested", "declined"]
    assert "had its run" in again[-1].reason
    assert control.starts().count("one") == 1


def test_a_request_in_the_cooldown_is_declined(control: Control) -> None:
    control.send(request("cool-first", hours=1000))
    control.settle()
    control.send(request("cool-second", "data_drift", hours=1001))
    status = control.settle()
    assert [event.state for event in events(control.settings, "cool-second")] == ["requested", "declined"]
    assert status["last_decision"]["code"] == "cooldown"


def test_what_is_no_request_goes_to_dlq_and_the_loop_goes_on(control: Control) -> None:
    poison = b'{"cause": "boredom"}'
    control.send(poison, b"", b"\xff\xfe", request("after-poison"))
    control.settle()
    assert events(control.settings, "after-poison")[-1].state == "rejected"
    letters = [msgspec.json.decode(value, type=DeadLetter) for value in read(control.settings, topics.DLQ)]
    mine = [letter for letter in letters if letter.processor == "control" and letter.key == MODEL.encode()]
    assert len(mine) == 3
    assert mine[0].value == poison
    assert mine[0].topic == topics.RETRAIN_REQUESTS
    assert mine[0].error == "ValidationError"


def test_a_run_without_a_result_is_a_failure(control: Control) -> None:
    control.send(request("broken", fail=True))
    control.settle()
    last = events(control.settings, "broken")[-1]
    assert last.state == "failed"
    assert "exit status 3" in last.reason


def test_no_lag_is_left_behind_a_commit_marker(control: Control) -> None:
    control.settle()
    control.wait_for(lambda: group_lags(control.settings).get("control", {}).get(topics.RETRAIN_REQUESTS) == 0, 5)


def test_a_killed_control_takes_its_run_over(control: Control) -> None:
    control.send(request("killed", wait=True))
    control.wait_for(lambda: "killed" in control.starts())
    control.wait_for(lambda: control.status()["active_runs"] == 1)
    control.send(request("while-running", "data_drift", hours=5000))
    control.end(signal.SIGKILL)
    control.start()
    status = control.status()
    assert status["active_runs"] == 1
    assert not status["idle"]
    # Sent before the kill, decided before it or after it: declined either way, while the run lives.
    control.wait_for(lambda: "while-running" in {run["idempotency_key"] for run in control.status()["runs"]})
    (control.settings.runs / run_id("killed", 1) / "go").touch()
    control.settle()
    assert [event.state for event in events(control.settings, "killed")] == ["requested", "running", "rejected"]
    assert [event.state for event in events(control.settings, "while-running")] == ["requested", "declined"]
    assert control.starts().count("killed") == 1


def test_a_run_ended_with_control_is_launched_again(control: Control) -> None:
    control.send(request("stopped", wait=True))
    control.wait_for(lambda: "stopped" in control.starts())
    control.wait_for(lambda: control.status()["active_runs"] == 1)
    control.end(signal.SIGTERM)
    assert not (control.settings.runs / run_id("stopped", 1) / "result.json").exists()
    control.start()
    control.wait_for(lambda: control.starts().count("stopped") == 2)
    (control.settings.runs / run_id("stopped", 2) / "go").touch()
    control.settle()
    run_events = events(control.settings, "stopped")
    assert [event.state for event in run_events] == ["requested", "running", "running", "rejected"]
    assert run_events[2].reason.startswith("attempt 2")


class Served:
    """The platform's model store, and a model server on it; versions are deployed as the pipeline does it."""

    def __init__(self, control: Control, folder: Path) -> None:
        self.settings = control.settings.model_copy(update={"model": MODEL})
        self.store = ModelStore(self.settings.model_store, MODEL)
        self._folder = folder
        self._control = control
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        env = {**os.environ, "DRIFTLOOP_DIR": str(self.settings.dir), "DRIFTLOOP_MODEL": MODEL}
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([sys.executable, "-c", SERVER], env=env, stdout=log, stderr=log)
        self._control.wait_for(self._up, 90, self._process)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)

    def deploy(self, version: str, shadow_transactions: int = 0) -> None:
        data = onnx_bytes()
        manifest = msgspec.structs.replace(make_manifest(version, data), model=MODEL)
        self.store.add(version_folder(self._folder / version, version, data, manifest))
        before = self.store.serving()
        self.store.write_serving(on_registered(before, version, shadow_transactions), before.generation)

    def _up(self) -> bool:
        try:
            port = self.settings.ports.metrics["model-server"]
            with open_url(f"http://127.0.0.1:{port}/healthz", 5):
                return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


@pytest.fixture
def served(control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """v1 and v2 were champion one after the other, v3 is in shadow."""
    monkeypatch.setenv("DRIFTLOOP_DIR", str(control.settings.dir))
    monkeypatch.setenv("DRIFTLOOP_MODEL", MODEL)
    served = Served(control, tmp_path)
    try:
        served.start()
        for version, shadow in (("v1", 0), ("v2", 0), ("v3", 1000)):
            served.deploy(version, shadow)
            control.settle()
        yield served
    finally:
        served.stop()
        # The folder is other tests', too.
        shutil.rmtree(served.settings.model_store, ignore_errors=True)


def test_a_roll_back_is_carried_out_once_and_ends_the_shadow(
    control: Control, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["rollback", "--reason", "misses  too\nmuch", "--json"]) == 0
    done = msgspec.json.decode(capsys.readouterr().out, type=ModelEvent)
    assert (done.state, done.version, done.previous) == ("rolled_back", "v1", "v2")
    assert (done.reason, done.by) == ("misses too much", rollback.user())
    status = control.settle()["rollout"]
    assert (status["server"]["champion"], status["server"]["shadow"]) == ("v1", None)
    assert status["announced"] == {"champion": "v1", "shadow": None}
    document = served.store.serving()
    assert (document.champion, document.shadow) == ("v1", None)
    key = done.idempotency_key
    assert key is not None
    assert [event.state for event in events(control.settings, key)] == ["rollback_requested", "rolled_back"]

    for arguments, why in (
        ([], "no version was champion before v1"),
        (["--to", "v1"], "v1 is champion already"),
        (["--to", "v3"], "v3 is newer than v1 and was never champion"),
        (["--to", "v9"], "'v9' is not in"),
    ):
        assert main.run(["rollback", "--reason", "again", *arguments]) == 2
        stderr = capsys.readouterr().err
        assert why in stderr
        assert stderr.count("\n") == 1

    # Asked for while control is away, of a server that is away: the log alone tells of it.
    served.stop()
    control.end(signal.SIGKILL)
    log = rollback.announced(served.settings, bounds(served.settings, topics.MODEL_EVENTS))
    asked = rollback.request(served.settings, log, "v2", "v1 is worse", 5)
    publish(served.settings, topics.MODEL_EVENTS, MODEL, asked)
    control.start()
    control.wait_for(lambda: served.store.serving().champion == "v2")
    assert not control.status()["idle"]
    # Killed before it could say so, and a new version went into shadow meanwhile: it is not rolled back a second time.
    control.end(signal.SIGKILL)
    served.deploy("v4", 1000)
    generation = served.store.serving().generation
    control.start()
    served.start()
    control.settle()
    document = served.store.serving()
    assert (document.generation, document.champion, document.shadow) == (generation, "v2", "v4")
    rollback_events = events(control.settings, str(asked.idempotency_key))
    assert [(event.state, event.version, event.previous) for event in rollback_events] == [
        ("rollback_requested", "v2", "v1"),
        ("rolled_back", "v2", "v1"),
    ]

    # One that was overtaken by a promotion is declined, and the document stays.
    late = msgspec.structs.replace(asked, idempotency_key="late", version="v1", previous="v3")
    publish(served.settings, topics.MODEL_EVENTS, MODEL, late)
    control.wait_for(lambda: len(events(control.settings, "late")) == 2)
    [_, declined] = events(control.settings, "late")
    assert declined.state == "declined"
    assert "v2 is champion by now" in declined.reason
    assert served.store.serving().generation == generation
    control.settle()
