from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from features.jobs import java


def _runtime(home: Path, version: str, modules: str) -> Path:
    binary = home / "bin" / "java"
    binary.parent.mkdir(parents=True)
    binary.write_text(f'#!/bin/sh\n[ "$1" = -version ] && echo \'openjdk version "{version}"\' >&2 && exit\nprintf "%s|" "$@"\n')
    binary.chmod(0o755)
    (home / "release").write_text(f'MODULES="{modules}"\n')
    return home


@pytest.mark.parametrize(("version", "major"), [("17.0.15", 17), ("25.0.2", 25), ("25", 25), ("1.8.0_402", 8)])
def test_the_version_is_read(tmp_path: Path, version: str, major: int) -> None:
    assert java.java_version(_runtime(tmp_path / "jre", version, "java.base")) == major


def test_a_java_that_is_too_old_or_missing_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = _runtime(tmp_path / "system", "17.0.15", "java.base")
    monkeypatch.setenv("PATH", str(system / "bin"))
    monkeypatch.setenv("JAVA_HOME", str(_runtime(tmp_path / "new", "21.0.1", "java.base")))
    assert java.java_home() == tmp_path / "new"
    monkeypatch.setenv("JAVA_HOME", str(_runtime(tmp_path / "old", "11.0.1", "java.base")))
    assert java.java_home() == system
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nothing"))
    assert java.java_home() == system


def test_without_one_on_the_machine_the_packaged_one_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert java.java_version(java.java_home()) >= java.MIN_VERSION


def test_spark_gets_a_wrapper_only_where_a_module_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _runtime(tmp_path / "whole", "21", f"java.base {java.VECTOR_MODULE}")
    monkeypatch.setenv("JAVA_HOME", str(whole))
    assert java.spark_java_home(tmp_path / "cache") == whole

    monkeypatch.setenv("JAVA_HOME", str(_runtime(tmp_path / "small one", "25", "java.base")))
    home = java.spark_java_home(tmp_path / "cache")
    assert home == tmp_path / "cache" / "spark-java"
    command = [str(home / "bin" / "java"), "-cp", "a b", f"--add-modules={java.VECTOR_MODULE}", "Main"]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    assert process.stdout == "-cp|a b|Main|"


def test_the_wrapper_finds_a_java_whose_path_a_shell_would_read_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = _runtime(tmp_path / 'a "b" $HOME `c` it\'s', "25.0.2", "java.base")
    monkeypatch.setattr(java, "java_home", lambda: home)
    wrapper = java.spark_java_home(tmp_path / "cache") / "bin" / "java"
    done = subprocess.run(
        [wrapper, "x y", f"--add-modules={java.VECTOR_MODULE}", "z"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "x y|z|"
