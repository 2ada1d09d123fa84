"""A whole platform from a hostile shell: a company's proxy, another Spark, odd locales, time zones, paths and rights."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.base.cache_root import cache_root
from features.base.settings import load
from infra.platform import leftovers
from infra.platform import up_down as local
from streams.publish.probe import control_probe

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
#: Nobody listens at the discard port.
NOBODY = "http://127.0.0.1:9"

#: What a data team's machine, a company's profile and other software leave in a shell.
HOSTILE = {
    "http_proxy": NOBODY,
    "https_proxy": NOBODY,
    "HTTP_PROXY": NOBODY,
    "ALL_PROXY": NOBODY,
    "SPARK_HOME": "/opt/nospark",
    "SPARK_CONF_DIR": "/opt/nospark/conf",
    "SPARK_LOCAL_DIRS": "/opt/nospark/scratch",
    "SPARK_REMOTE": "sc://127.0.0.1:9",
    "HADOOP_CONF_DIR": "/opt/nohadoop",
    "YARN_CONF_DIR": "/opt/nohadoop",
    "PYSPARK_SUBMIT_ARGS": "--master yarn pyspark-shell",
    "PYSPARK_PYTHON": "/opt/nopython",
    "PYSPARK_DRIVER_PYTHON": "jupyter",
    "JAVA_HOME": "/opt/nojava",
    "_JAVA_OPTIONS": "-Xmx4m",
    "JAVA_TOOL_OPTIONS": "-agentlib:jdwp=transport=dt_socket,server=y,suspend=y,address=127.0.0.1:1",
    "JDK_JAVA_OPTIONS": "-XX:+Nonsense",
    "CLASSPATH": "/opt/nojava/rt.jar",
    "KAFKA_OPTS": "-Dnonsense",
    "KAFKA_HEAP_OPTS": "-Xmx1m",
    "KAFKA_LOG4J_OPTS": "-Dlog4j.configuration=file:/opt/none",
    "LOG_DIR": "/opt/none",
    "PYTHONWARNINGS": "error",
    "PYTHONOPTIMIZE": "2",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONIOENCODING": "ascii",
    "KERAS_BACKEND": "torch",
    "TF_USE_LEGACY_KERAS": "1",
    "NUMBA_DISABLE_JIT": "1",
    "PROMETHEUS_MULTIPROC_DIR": "/opt/none",
    "WEB_CONCURRENCY": "many",
    # Celery's, and a web server's: Faust reads the same names.
    "BROKER_URL": "redis://127.0.0.1:9",
    "WEB_PORT": "9",
    "TIMEZONE": "Mars/Olympus",
    "OMP_NUM_THREADS": "64",
    "LC_ALL": "C",
    "LANG": "tr_TR.UTF-8",
    "TZ": "America/St_Johns",
    "HOME": "/proc/none",
    "COLUMNS": "7",
    "TERM": "",
}


class World:
    """Runs the command line in this environment."""

    def __init__(self, folder: Path, brought: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, **HOSTILE, "DRIFTLOOP_CACHE": str(cache_root())}
        self.environment["PYTHONPATH"] = os.pathsep.join([str(brought), str(ROOT)])
        self.environment.pop("no_proxy", None)
        self.environment.pop("NO_PROXY", None)

    def run(self, *arguments: str, umask: int = 0) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "infra.cli.main", "--dir", str(self.folder), *arguments],
            env=self.environment,
            cwd=ROOT,
            umask=umask,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=400,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    base = tmp_path_factory.mktemp("world")
    brought = base / "spark" / "python"
    (brought / "pyspark").mkdir(parents=True)
    (brought / "pyspark" / "__init__.py").write_text("raise ImportError('the pyspark of another Spark')\n")
    # So deep that supervisor's socket has to be elsewhere.
    folder = base / ("Größe und данные 平台 " * 3).strip() / "p"
    folder.parent.mkdir()
    try:
        yield World(folder, brought)
    finally:
        settings = load(folder)
        local.down(settings)
        assert not leftovers.find(settings)


def payments(path: Path, n: int = 300) -> None:
    """``n`` payments of three days, some of them fraud."""
    start = datetime(2018, 4, 1)
    pq.write_table(
        pa.table(
            {
                "TRANSACTION_ID": pa.array(range(n), pa.int64()),
                "TX_DATETIME": pa.array([start + timedelta(minutes=14 * i) for i in range(n)], pa.timestamp("ms")),
                "CUSTOMER_ID": pa.array([i % 20 for i in range(n)], pa.int64()),
                "TERMINAL_ID": pa.array([i % 7 for i in range(n)], pa.int64()),
                "TX_AMOUNT": pa.array([10.25 + i % 50 for i in range(n)]),
                "TX_FRAUD": pa.array([int(i % 40 == 0) for i in range(n)], pa.int8()),
            }
        ),
        path,
    )


def test_the_loop_turns_there(world: World, tmp_path: Path) -> None:
    up = world.run("up")
    assert up.returncode == 0, up.stdout + up.stderr
    assert up.stderr.count("PYTHONWARNINGS") == 1
    (output,) = (line for line in up.stdout.splitlines() if "left out of the environment" in line)
    assert all(name in output for name in ("SPARK_HOME", "HADOOP_CONF_DIR", "_JAVA_OPTIONS", "PYSPARK_SUBMIT_ARGS"))

    file = tmp_path / "zahlungen.parquet"
    payments(file)
    replayed = world.run(
        "replay", str(file), "--map", "pattern=", "--lockstep", "1d", "--lockstep-timeout", "120", "--all-labels"
    )
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert "300 payments (8 frauds)" in replayed.stdout

    status = world.json("status")
    assert (status["state"], status["unanswered"]) == ("up", [])
    assert status["event_time"]["scorer"]["behind_s"] == 0.0
    assert set(status["lag"]["scorer"].values()) == {0}
    assert world.json("alerts") == []
    shown = world.run("status")
    assert shown.returncode == 0
    assert "label-joiner" in shown.stdout  # whole, however narrow the terminal that there is not

    parity = world.run("parity", "--json")
    assert parity.returncode == 0, parity.stdout + parity.stderr
    assert json.loads(parity.stdout)["vectors"] == 300
    assert parity.stderr.count("SPARK_HOME") == 1

    settings = load(world.folder)
    # What is written for everybody is written by nobody, and secrets are for their owner.
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in world.folder.rglob("*") if not path.is_symlink()}
    assert not [path for path, mode in modes.items() if mode & 0o022 and not stat.S_ISSOCK(path.lstat().st_mode)]
    assert modes[settings.token_file] == 0o600
    # Kafka writes where it was told, not where a broken encoding led it.
    assert (world.folder / "kafka" / "log" / "meta.properties").is_file()
    assert {path.name for path in world.folder.parent.iterdir()} == {"p"}

    down = world.run("down")
    assert down.returncode == 0, down.stdout + down.stderr
    reason = control_probe(settings)()
    assert reason is not None
    assert reason.startswith("control does not answer at http://127.0.0.1:")
