"""What other installations leave in the environment: out where it does harm, and said once; all else stays."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from features.base import environment
from features.base.environment import CLUSTER, JAVA, LIBRARIES, PYTHON, SPARK

ROOT = Path(__file__).parents[4]


def clean(**more: str) -> dict[str, str]:
    return {"PATH": "/bin", "LD_PRELOAD": "libtheirs.so", "OMP_NUM_THREADS": "8", "CUDA_VISIBLE_DEVICES": "0", **more}


@pytest.mark.parametrize(
    ("name", "group"),
    [
        *((name, SPARK) for name in ("SPARK_HOME", "PYSPARK_SUBMIT_ARGS", "PYSPARK_DRIVER_PYTHON", "PYSPARK_GATEWAY_PORT")),
        *((name, SPARK) for name in ("SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED")),
        *((name, CLUSTER) for name in ("SPARK_CONF_DIR", "SPARK_LOCAL_DIRS", "PYSPARK_PYTHON", "HADOOP_HOME")),
        *((name, CLUSTER) for name in ("HADOOP_CONF_DIR", "YARN_CONF_DIR")),
        *((name, JAVA) for name in ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH")),
        *((name, PYTHON) for name in ("PYTHONHOME", "PYTHONWARNINGS", "PYTHONOPTIMIZE", "PYTHONINSPECT", "PYTHONIOENCODING")),
        *((name, LIBRARIES) for name in ("KERAS_BACKEND", "NUMBA_DISABLE_JIT", "PROMETHEUS_MULTIPROC_DIR", "WEB_CONCURRENCY")),
    ],
)
def test_what_does_harm_stays_outside(name: str, group: tuple[environment.Foreign, ...]) -> None:
    assert environment.foreign(clean(**{name: "theirs"}), group).keys() == {name}
    kept = environment.without(clean(**{name: "theirs"}))
    assert name not in kept
    assert kept.items() >= clean().items()


def test_a_child_writes_utf8_and_no_other_alphabet() -> None:
    kept = environment.without(clean(LC_ALL="tr_TR.UTF-8", PYTHONUTF8="0"))
    assert kept["PYTHONUTF8"] == "1"
    assert sys.platform != "linux" or kept["LC_ALL"] == "C.UTF-8"


def test_a_cluster_keeps_its_own_configuration() -> None:
    kept = environment.without(clean(HADOOP_CONF_DIR="/etc/hadoop", SPARK_HOME="/opt/spark"), (*SPARK, *JAVA))
    assert kept["HADOOP_CONF_DIR"] == "/etc/hadoop"
    assert "SPARK_HOME" not in kept


def test_what_is_dropped_is_said_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("SPARK_HOME", "/opt/secret-place")
    monkeypatch.setenv("SPARK_REMOTE", "sc://x")
    with caplog.at_level(logging.WARNING):
        environment.drop(SPARK)
        environment.drop(SPARK)
    assert "SPARK_HOME" not in os.environ
    (line,) = caplog.messages
    assert "SPARK_HOME (names another Spark, of another version than our pyspark); SPARK_REMOTE (" in line
    assert "secret" not in line


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, None),
        ({"http_proxy": ""}, None),
        ({"http_proxy": "http://p:1"}, "127.0.0.1,localhost,::1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": ".corp, localhost"}, ".corp,localhost,127.0.0.1,::1"),
        ({"https_proxy": "http://p:1", "no_proxy": "*"}, "*"),
    ],
)
def test_libraries_are_told_to_spare_loopback(before: dict[str, str], after: str | None) -> None:
    environ = dict(before)
    environment.spare_loopback(environ)
    assert environ.get("no_proxy") == environ.get("NO_PROXY") == after


def test_an_entry_of_pythonpath_that_brings_what_is_pinned_is_left_out(tmp_path: Path) -> None:
    theirs, own = tmp_path / "spark" / "python", tmp_path / "own code"
    (theirs / "pyspark").mkdir(parents=True)
    (theirs / "pyspark" / "__init__.py").touch()
    (own / "my_domain").mkdir(parents=True)
    # A folder of data that has the name of a package is none.
    (own / "redis").mkdir()
    archive = theirs / "lib" / "py4j-0.10-src.zip"
    value = os.pathsep.join(map(str, (theirs, own, archive)))
    assert environment.python_path(value) == (str(own), [str(theirs), str(archive)])
    assert environment.without(clean(PYTHONPATH=value))["PYTHONPATH"] == str(own)
    assert "PYTHONPATH" not in environment.without(clean(PYTHONPATH=str(theirs)))
    assert list(environment.harms(clean(PYTHONPATH=value))) == [f"PYTHONPATH={theirs}", f"PYTHONPATH={archive}"]
    packages = os.path.dirname(os.path.dirname(pytest.__file__))  # noqa: PTH120 - as Python writes it
    assert environment.python_path(packages) == (packages, [])


def test_a_sound_environment_is_left_as_it_is() -> None:
    assert environment.entered(clean(LC_ALL="en_US.UTF-8", PYTHONUNBUFFERED="1"), utf8=True) == clean(
        LC_ALL="en_US.UTF-8", PYTHONUNBUFFERED="1"
    )
    mended = environment.entered(clean(PYTHONWARNINGS="error", PYTHONUTF8="0"), utf8=False)
    assert mended == clean(PYTHONUTF8="1")
    # A process never begins a third time.
    assert environment.entered(mended, utf8=True) == mended


def test_the_command_line_begins_again_in_a_mended_environment(tmp_path: Path) -> None:
    hostile = {"PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "2", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "-m", "infra.cli.main", "topology"],
        env={**os.environ, **hostile, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "─" in done.stdout
    assert done.stderr.count("\n") == 1
    assert "PYTHONOPTIMIZE" in done.stderr
    assert "PYTHONWARNINGS" in done.stderr
