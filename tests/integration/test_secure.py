"""A secure platform, once for all tests here: the loop turns in it, and whoever has no right to something is told so."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
import redis
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from pyspark.sql import SparkSession
from redis.backoff import NoBackoff
from redis.retry import Retry

from features.base.events import DeadLetter, ModelEvent
from features.base.settings import Settings, load
from features.base.web_client import open_url
from features.jobs.kafka_source import options
from infra.cli import main
from infra.inspect.decode import newest_events
from infra.inspect.publish import publish
from infra.platform import leftovers, supervisor
from infra.platform import up_down as local
from infra.security import certificates
from retrain.control.launcher import COMMAND_VARIABLE
from serving.rollout.transitions import on_registered
from serving.store.document import ServingDocument
from serving.store.model_store import ModelStore
from streams import topics
from streams.kafka.clients import consumer, producer
from streams.kafka.refusal import refused
from tests.unit.serving.tiny_models import make_manifest, onnx_bytes, version_folder

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore")]  # pyspark's own warnings


EARLIER = DeadLetter("labels", 0, 0, "test", "Earlier", "from before the platform was secure", b"{}", None)


def champion(settings: Settings, work: Path) -> None:
    """A version that alerts on everything is served from the beginning."""
    store, data = ModelStore(settings.model_store), onnx_bytes(bias=10.0)
    store.add(version_folder(work / "v1", "v1", data, make_manifest("v1", data, threshold=0.0)))
    store.write_serving(ServingDocument(generation=1, champion="v1"), 0)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """All of it, the loop turned once with three days of payments. Its training runs fail at once.

    Its Kafka ran without security before, and has a record from that time.
    """
    folder = tmp_path_factory.mktemp("secure") / "platform"
    folder.mkdir()
    (folder / "driftloop.toml").write_text("partitions = 2\n")
    champion(load(folder), tmp_path_factory.mktemp("model"))
    with pytest.MonkeyPatch.context() as environment:
        # The command line sets the first two for its children: given back afterwards.
        environment.setenv("DRIFTLOOP_DIR", str(folder))
        environment.setenv("DRIFTLOOP_REDIS_PASSWORD", "")
        environment.setenv(COMMAND_VARIABLE, "/bin/false")
        try:
            before = local.up(load(folder), only={"kafka"})
            publish(before, topics.DLQ, "before", EARLIER)
            local.down(before)
            assert main.run(["--dir", str(folder), "up", "--secure"]) == 0
            arguments = [
                "simulate",
                "--days",
                "3",
                "--subjects",
                "60",
                "--positive-rate",
                "0.05",
                "--lockstep",
                "1d",
                "--all-labels",
            ]
            assert main.run(["--dir", str(folder), *arguments]) == 0
            yield load(folder)
        finally:
            local.down(load(folder))
            assert not leftovers.find(load(folder))


@pytest.fixture
def run(secure: Settings, capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(secure, capsys)


class Runner:
    """The command line in this process: exit code, what it printed, what it complained of."""

    def __init__(self, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._capsys = str(settings.dir), capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        code = main.run(["--dir", self._folder, *arguments])
        output = self._capsys.readouterr()
        return code, output.out, output.err


def secrets(settings: Settings) -> dict[str, str]:
    """The content of each file that nobody else should see, by its path."""
    files = [path for path in settings.secrets.rglob("*") if path.is_file() and path.name != "ca.pem"]
    return {str(path): path.read_text().strip() for path in [*files, settings.token_file]}


def test_the_loop_turns(secure: Settings, run: Runner) -> None:
    code, out, _ = run("status", "--json")
    status = json.loads(out)
    assert (code, status["state"]) == (0, "up")
    groups = {"scorer", "feast-writer", "archive", "label-joiner", "counterpart-risk", "drift-monitor"}
    assert groups <= status["lag"].keys()
    assert groups <= status["event_time"].keys()
    for format_ in ("scores", "outcomes"):
        assert ds.dataset(secure.archive / format_, format="parquet").count_rows() > 0
    subject = ds.dataset(secure.archive / "scores", format="parquet").to_table(columns=["card_id"]).column(0)[-1].as_py()
    assert run("features", "show", "card", subject)[0] == 0
    code, out, _ = run("alerts", "--json")
    assert (code, len(json.loads(out))) == (0, 20)


EVERY_SHELL = (
    "records_consumed_total",
    "lag_records",
    "event_time_seconds",
    "event_time_lag_seconds",
    "batch_records_count",
    "transaction_seconds_count",
    "rebalances_total",
    "partitions",
)


def test_every_processor_tells_what_it_does(secure: Settings) -> None:
    pages = {name: page(port) for name, port in secure.ports.metrics.items() if name in ("scorer", "writers", "drift-monitor")}
    processors = {
        "scorer": ("scorer",),
        "writers": ("feast-writer", "archive", "label-joiner", "counterpart-risk"),
        "drift-monitor": ("drift-monitor",),
    }
    missing = [
        (processor, metric)
        for process, names in processors.items()
        for processor in names
        for metric in EVERY_SHELL
        if not re.search(rf'^driftloop_{metric}{{[^}}]*processor="{processor}"', pages[process], re.MULTILINE)
    ]
    assert missing == []
    own = ("model_call_seconds_count", "profile_read_seconds_count", "state_bytes", "state_subjects", "snapshot_age_seconds")
    assert [metric for metric in own if f"\ndriftloop_{metric}" not in pages["scorer"]] == []


def page(port: int) -> str:
    with open_url(f"http://127.0.0.1:{port}/metrics", 10) as reply:
        return str(reply.read().decode())


def test_what_was_there_before_is_there_still(run: Runner) -> None:
    code, out, _ = run("dlq", "list", "--json")
    assert (code, [letter["message"] for letter in json.loads(out)]) == (0, [EARLIER.message])


def test_control_answers_a_request(secure: Settings, run: Runner) -> None:
    assert run("retrain", "--reason", "to see control at work")[0] == 0
    deadline = time.monotonic() + 60
    states: list[str] = []
    while "failed" not in states:
        assert time.monotonic() < deadline, states
        states = [event.state for _, event in newest_events(secure, topics.MODEL_EVENTS, ModelEvent, 20).events]
        time.sleep(0.2)
    assert states[-3:] == ["requested", "running", "failed"]


def test_an_operator_rolls_back(secure: Settings, run: Runner, tmp_path: Path) -> None:
    """A second version that is served at once, as the pipeline deploys it, and back: under the rights of operator and control."""
    store, data = ModelStore(secure.model_store), onnx_bytes(bias=10.0)
    store.add(version_folder(tmp_path / "v2", "v2", data, make_manifest("v2", data, threshold=0.0)))
    served = store.serving()
    store.write_serving(on_registered(served, "v2", 0), served.generation)
    deadline = time.monotonic() + 60
    while "v2" not in [e.version for _, e in newest_events(secure, topics.MODEL_EVENTS, ModelEvent, 5, _promoted).events]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    code, out, err = run("rollback", "--reason", "to see that it may")
    assert (code, err) == (0, "")
    assert "rolled back from v2 to v1" in out
    assert store.serving().champion == "v1"


def _promoted(event: ModelEvent) -> bool:
    return event.state == "promoted"


def test_a_dead_letter_is_replayed_and_discarded(secure: Settings, run: Runner) -> None:
    """The bad record goes to the scorer again, under the operator's rights, and comes back with its count."""
    publish(secure.as_user("producer"), topics.EVENTS, "bad", EARLIER)
    (letter,) = _letters(run, 1)
    assert (letter["error"], letter["attempt"]) == ("ValidationError", 1)
    assert run("dlq", "replay", letter["place"], "--yes")[0] == 0
    (again,) = _letters(run, 2)
    assert again["place"] != letter["place"]
    assert run("dlq", "discard", again["place"], "--reason", "a test", "--yes")[0] == 0
    assert json.loads(run("dlq", "list", "--topic", topics.EVENTS, "--json")[1]) == []


def _letters(run: Runner, attempt: int) -> list[dict[str, Any]]:
    """Those of ``transactions`` that came back for the ``attempt``-th time; waits for the first."""
    deadline = time.monotonic() + 60
    while True:
        letters = json.loads(run("dlq", "list", "--topic", topics.EVENTS, "--json")[1])
        if attempt in [letter["attempt"] for letter in letters]:
            return [letter for letter in letters if letter["attempt"] == attempt]
        assert time.monotonic() < deadline, letters
        time.sleep(0.2)


def test_who_goes_on_with_a_publication_reads_what_is_out_as_an_onlooker(run: Runner) -> None:
    code, out, _ = run("simulate", "--days", "3", "--subjects", "60", "--positive-rate", "0.05", "--resume")
    assert code == 0
    assert out.startswith("0 payments (0 frauds) and 0 labels published")


def test_a_broker_that_was_killed_lets_everybody_in_again(secure: Settings, run: Runner) -> None:
    os.kill(supervisor.processes(secure)["kafka"].pid, signal.SIGKILL)
    deadline = time.monotonic() + 150
    arguments = (
        "simulate",
        "--from-day",
        "3",
        "--days",
        "1",
        "--subjects",
        "60",
        "--positive-rate",
        "0.05",
        "--lockstep",
        "1d",
        "--resume",
    )
    while run(*arguments)[0] != 0:
        assert time.monotonic() < deadline, "the platform does not come back"
        time.sleep(1.0)
    code, out, _ = run("status", "--json")
    assert (code, json.loads(out)["state"]) == (0, "up")


def test_spark_reads_a_topic(secure: Settings, spark: SparkSession) -> None:
    reader = spark.read.format("kafka").options(**options(secure)).option("subscribe", topics.SCORES)
    assert reader.load().count() == ds.dataset(secure.archive / "scores", format="parquet").count_rows()


WRONG_PASSWORD = json.dumps({"sasl.password": "not-the-password"})
COMMANDS = (
    ["alerts"],
    ["run", "scorer"],
    ["run", "control"],
    ["simulate", "--days", "1", "--subjects", "5"],
    ["retrain", "--reason", "x"],
    ["rollback", "--reason", "x"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_wrong_password_is_one_line(command: list[str], run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLOOP_KAFKA", WRONG_PASSWORD)
    code, out, err = run(*command)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "refuses the user" in err
    assert "wrong password" in err
    assert "not-the-password" not in err


def test_status_tells_of_a_wrong_password_and_shows_the_rest(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLOOP_KAFKA", WRONG_PASSWORD)
    code, out, err = run("status", "--json")
    status = json.loads(out)
    assert (code, status["state"], status["lag"], err.count("\n")) == (2, "up", None, 1)
    assert "refuses the user inspect: no such user, or a wrong password; see where kafka.sasl.password comes from" in err
    assert status["refused"] in err
    assert {component["health"] for component in status["components"]} == {"healthy"}
    assert status["event_time"]
    code, out, again = run("status")
    assert (code, again) == (2, err)
    assert "is up" in out
    assert "consumer group" not in out
    assert "not-the-password" not in out + err


def test_status_tells_of_a_missing_right(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what Kafka tells, only the newest payment's time is missing."""
    monkeypatch.setenv("DRIFTLOOP_KAFKA_USER", "archive")
    code, out, err = run("status", "--json")
    status = json.loads(out)
    assert (code, list(status["lag"]), err.count("\n")) == (2, ["archive"], 1)
    assert "the Kafka user archive has no right to read the topic transactions" in err
    assert status["event_time"]


@pytest.mark.parametrize("command", (["dlq", "list"], ["run", "archive"]), ids=" ".join)
def test_an_unknown_authority_is_one_line(
    command: list[str], run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates.authority(tmp_path)
    monkeypatch.setenv("DRIFTLOOP_KAFKA", json.dumps({"ssl.ca.location": str(tmp_path / "ca.pem")}))
    code, out, err = run(*command)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "is not from an authority that we trust; set kafka.ssl.ca.location" in err


@pytest.mark.parametrize(
    ("user", "command", "what"),
    [
        ("archive", ["run", "scorer"], "archive has no right to read the topic transactions"),
        ("producer", ["run", "drift-monitor"], "producer has no right to read the topic scores"),
        ("producer", ["alerts"], "producer has no right to read the topic alerts"),
        ("analyst", ["simulate", "--days", "1", "--subjects", "5"], "analyst has no right to write to the topic transactions"),
        ("inspect", ["retrain", "--reason", "x"], "inspect has no right to write to the topic retrain-requests"),
    ],
)
def test_what_the_table_does_not_allow_is_one_line(
    user: str, command: list[str], what: str, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTLOOP_KAFKA_USER", user)
    code, out, err = run(*command)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"the Kafka user {what}; docs/security.md" in err


def test_nobody_borrows_another_ones_transactions_or_group(secure: Settings) -> None:
    scorer = secure.as_user("scorer")
    with pytest.raises(KafkaException, match="TRANSACTIONAL_ID_AUTHORIZATION_FAILED"):
        producer(scorer, "driftloop-archive-0").init_transactions(20)
    reader = consumer(scorer, "archive")
    reader.subscribe([topics.EVENTS])
    error = next(message for message in reader.consume(1, 20)).error()
    reader.close()
    refusal = refused(scorer, error)
    assert refusal is not None
    assert "scorer has no right to this consumer group" in str(refusal)


def test_the_doors_that_ask_for_certificates_open_to_nobody_without(secure: Settings) -> None:
    authority = str(secure.secrets / "ca.pem")
    for port in (secure.ports.kafka_internal, secure.ports.kafka_controller, secure.ports.kafka):
        for protocol in ("ssl", "plaintext"):
            client = AdminClient(
                {
                    "bootstrap.servers": f"127.0.0.1:{port}",
                    "security.protocol": protocol,
                    **({"ssl.ca.location": authority} if protocol == "ssl" else {}),
                    "log_level": 0,
                }
            )
            with pytest.raises(KafkaException):
                client.list_topics(timeout=1)


def test_redis_asks_for_its_password(secure: Settings) -> None:
    with redis.Redis(port=secure.ports.redis, retry=Retry(NoBackoff(), 0)) as anybody, pytest.raises(redis.AuthenticationError):
        anybody.ping()


def test_no_secret_is_printed_or_handed_over_as_an_argument(secure: Settings, run: Runner) -> None:
    kept = secrets(secure)
    assert len(kept) > 15
    texts = [part for arguments in (["status"], ["status", "--json"], ["up", "--secure"]) for part in run(*arguments)[1:]]
    texts += [" ".join(process.cmdline()) for process in leftovers.find(secure)]
    texts += [path.read_text(errors="replace") for path in (secure.dir / "logs").iterdir()]
    texts.append((secure.feature_repo / "feature_store.yaml").read_text())
    for path, secret in kept.items():
        assert not any(secret in text for text in texts), path


def test_secrets_are_for_their_owner_only(secure: Settings) -> None:
    for path in (*secure.secrets.rglob("*"), secure.secrets, secure.token_file, secure.dir / "redis" / "redis.conf"):
        assert path.stat().st_mode & 0o077 == 0, path
    payments = next((secure.archive / "scores").rglob("*.parquet"))
    assert payments.stat().st_mode & 0o077 == 0


def test_no_log_line_names_a_card_a_terminal_or_a_transaction(secure: Settings) -> None:
    scores = ds.dataset(secure.archive / "scores", format="parquet").to_table(
        columns=["card_id", "terminal_id", "transaction_id"]
    )
    ids = {value for column in scores.columns for value in column.to_pylist()}
    logs = "\n".join(path.read_text(errors="replace") for path in (secure.dir / "logs").iterdir())
    assert len(ids) > 100
    assert not ids & words(logs)
    # The search finds what it should.
    some = sorted(ids)[0]
    assert all(some in words(line) for line in (f'{{"card_id":"{some}"}}', f"card={some}", f"[{some}]", f"a/{some}:1", some))


def words(text: str) -> set[str]:
    """All words, however they are set off."""
    return {word for pattern in (r"[^\w-]+", r"\W+") for word in re.split(pattern, text)}


def test_a_broker_elsewhere_is_not_ours_to_secure(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLOOP_BOOTSTRAP_SERVERS", "broker.example:9092")
    code, _, err = run("up", "--secure")
    assert (code, err.count("\n")) == (2, 1)
    assert "write how to reach it into [kafka]" in err


def test_what_runs_without_security_is_not_changed_underneath(
    run: Runner, secure: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTLOOP_SECURE", "false")
    code, _, err = run("up", "--secure")
    assert (code, err.count("\n")) == (2, 1)
    assert "run driftloop down first, then up --secure" in err
