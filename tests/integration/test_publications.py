"""Replays and simulations that stop half-way on a real broker, in processes that are killed, interrupted and refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.base.settings import Settings
from infra.cli import main
from infra.inspect import tail
from streams import topics

pytestmark = pytest.mark.integration

ROWS, DAYS = 4000, 4


def command(platform: Settings, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "infra.cli.main", "--dir", str(platform.dir), *arguments]


class Runner:
    """Runs command lines in this process."""

    def __init__(self, platform: Settings, capsys: pytest.CaptureFixture[str]) -> None:
        self._platform, self._capsys = platform, capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr."""
        self._capsys.readouterr()
        code = main.run(["--dir", str(self._platform.dir), *arguments])
        return code, *self._capsys.readouterr()


@pytest.fixture
def run(platform: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    # --dir changes it, and only for this test.
    monkeypatch.setenv("DRIFTLOOP_DIR", str(platform.dir))
    return Runner(platform, capsys)


def written(path: Path, prefix: str, rows: int = ROWS, last_amount: float = 10.0) -> Path:
    """Four days of payments whose ids begin with ``prefix``, every fiftieth a fraud."""
    start = datetime(2018, 4, 1)
    columns = {
        "TRANSACTION_ID": [f"{prefix}-{i}" for i in range(rows)],
        "TX_DATETIME": [start + timedelta(days=DAYS * i / ROWS) for i in range(rows)],
        "CUSTOMER_ID": [f"{prefix}{i % 40}" for i in range(rows)],
        "TERMINAL_ID": ["m1"] * rows,
        "TX_AMOUNT": [10.0] * (rows - 1) + [last_amount],
        "TX_FRAUD": [int(i % 50 == 0) for i in range(rows)],
    }
    pq.write_table(pa.table(columns), path, row_group_size=700)
    return path


def published(platform: Settings, prefix: str, topic: str = topics.EVENTS) -> Counter[str]:
    """How often each id that begins with ``prefix`` lies in the topic."""
    seen = tail.scan(platform, topic, tail.bounds(platform, topic))
    ids = (
        json.loads(record.value or b"{}").get("transaction_id", "") for record in seen if (record.value or b"").startswith(b"{")
    )
    return Counter(i for i in ids if i.startswith(prefix))


def wanted(prefix: str, rows: int = ROWS) -> Counter[str]:
    return Counter(f"{prefix}-{i}" for i in range(rows))


def labels(prefix: str, rows: int = ROWS) -> Counter[str]:
    return Counter(f"{prefix}-{i}" for i in range(0, rows, 50))


def stop(platform: Settings, how: signal.Signals, prefix: str, *arguments: str) -> tuple[int, str]:
    """Begin a replay at a pace, and end it by a signal as soon as some days are out."""
    child = subprocess.Popen(command(platform, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while len(published(platform, prefix)) < ROWS // 3:
        assert time.monotonic() < until
        assert child.poll() is None
        time.sleep(0.2)
    os.kill(child.pid, how)
    _, output = child.communicate(timeout=60)
    return child.returncode, output


def test_a_file_with_a_bad_row_publishes_nothing_and_the_mended_one_all_of_it_once(
    platform: Settings, run: Runner, tmp_path: Path
) -> None:
    prefix = f"bad{uuid.uuid4().hex[:6]}"
    path = written(tmp_path / "f.parquet", prefix, last_amount=-12.0)
    code, _, output = run("replay", str(path))
    assert code == 2
    assert "column TX_AMOUNT, row 4,000: -12.0 is below 0" in output
    assert not published(platform, prefix)
    written(path, prefix)
    code, out, output = run("replay", str(path))
    assert (code, output.count("checked")) == (0, 1)
    assert "4,000 payments" in out
    assert published(platform, prefix) == wanted(prefix)

    code, _, output = run("replay", str(path))
    assert code == 2
    assert "2018-04-01 to 2018-04-04 of it are on this platform already" in output
    copy = written(tmp_path / "a copy.parquet", prefix)
    code, _, output = run("replay", str(copy))
    assert code == 2
    assert f"from {path}" in output
    assert published(platform, prefix) == wanted(prefix)
    # Labels that were not due, and rows that have come since.
    longer = written(tmp_path / "longer.parquet", prefix, rows=ROWS + 500)
    code, out, _ = run("replay", str(longer), "--resume", "--all-labels")
    assert code == 0
    assert "500 payments" in out
    assert published(platform, prefix) == wanted(prefix, ROWS + 500)
    assert published(platform, prefix, topics.LABELS) == labels(prefix, ROWS + 500)
    assert run("replay", str(longer), "--resume", "--all-labels")[1].startswith("0 payments")
    assert published(platform, prefix, topics.LABELS) == labels(prefix, ROWS + 500)
    assert run("replay", str(path), "--again")[0] == 0
    assert set(published(platform, prefix).values()) == {1, 2}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_replay_that_is_ended_goes_on_exactly_there(
    platform: Settings, run: Runner, tmp_path: Path, how: signal.Signals
) -> None:
    prefix = f"{how.name.lower()}{uuid.uuid4().hex[:6]}"
    path = written(tmp_path / "my file.parquet", prefix)
    # Four days in nine seconds, so that there is time to end it.
    arguments = ("replay", str(path), "--speed", "40000", "--label-delay-days", "0.5", "--all-labels")
    code, output = stop(platform, how, prefix, *arguments)
    some = published(platform, prefix)
    assert 0 < len(some) < ROWS
    if how is signal.SIGINT:
        assert code == 130
        assert f"{len(some):,} payments and" in output
        assert f"replay '{path}'" in output
        assert output.strip().endswith("--resume")
    code, _, refusal = run(*arguments)
    assert code == 2
    assert "which stopped half-way" in refusal
    code, out, output = run("replay", str(path), "--label-delay-days", "0.5", "--all-labels", "--resume")
    assert code == 0, output
    assert f"{ROWS - len(some):,} payments" in out
    assert published(platform, prefix) == wanted(prefix)
    assert published(platform, prefix, topics.LABELS) == labels(prefix)


def test_a_lockstep_that_does_not_catch_up_says_how_far_it_came(platform: Settings, run: Runner, tmp_path: Path) -> None:
    """No processor runs here, so the first boundary is the last."""
    prefix = f"lock{uuid.uuid4().hex[:6]}"
    path = written(tmp_path / "f.parquet", prefix)
    code, _, output = run("replay", str(path), "--lockstep", "12h", "--lockstep-timeout", "1")
    assert code == 1
    assert "no progress for 1 s" in output
    assert "It came as far as 2018-04-01 12:00 UTC in event time: 500 payments and 0 labels are published" in output
    assert "--lockstep 12h --lockstep-timeout 1 --resume" in output
    assert run("replay", str(path), "--resume")[0] == 0
    assert published(platform, prefix) == wanted(prefix)


def test_a_simulation_is_known_by_its_seed(platform: Settings, run: Runner) -> None:
    seed = str(uuid.uuid4().int % 10**9)
    world = ("simulate", "--subjects", "100", "--counterparts", "40", "--seed", seed)
    assert run(*world, "--days", "2")[0] == 0
    code, _, output = run(*world, "--days", "3", "--drift", "amounts=2@1")
    assert code == 2
    assert "2026-01-05 to 2026-01-06 of it are on this platform already" in output
    assert run(*world, "--days", "3", "--resume")[0] == 0
    assert run(*world, "--from-day", "3", "--days", "1", "--resume", "--drift", "amounts=2@3")[0] == 0
    code, _, output = run(*world, "--days", "3", "--resume", "--drift", "amounts=2@1")
    assert code == 2
    assert "go on with the same options" in output
    assert set(published(platform, f"t{seed}-").values()) == {1}
    assert {i.split("-")[1][:4] for i in published(platform, f"t{seed}-")} == {"0000", "0001", "0002", "0003"}


def test_a_broker_that_is_away_is_said_before_anything_is_noted(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "f.parquet", f"away{uuid.uuid4().hex[:6]}")
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("DRIFTLOOP_BOOTSTRAP_SERVERS", "127.0.0.1:1")
        code, _, output = run("replay", str(path))
    assert code == 1
    assert "127.0.0.1:1" in output
    assert run("replay", str(path))[0] == 0
