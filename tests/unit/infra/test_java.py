from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from infra import java


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "25" 2025-09-16', 25),
        ('java version "1.8.0_402"', None),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
    ],
)
def test_parse_version(text: str, major: int | None) -> None:
    assert java.parse_version(text) == major


def test_without_a_java_of_the_machine_the_bundled_one_is_found() -> None:
    found = java.find({"PATH": "/nonexistent"})
    assert found == java.bundled()
    assert (java.major_version(found) or 0) >= java.OLDEST


def test_a_java_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    assert java.find({"JAVA_HOME": str(tmp_path), "PATH": str(old.parent)}) == java.bundled()


def test_the_wrapper_drops_the_missing_module_and_nothing_else(tmp_path: Path) -> None:
    echo = tmp_path / "echo args"
    echo.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    script = tmp_path / "java"
    script.write_text(java.wrapper(echo))
    for file in (echo, script):
        file.chmod(0o755)
    said = subprocess.run(
        [script, "-Xmx1g", "--add-modules=jdk.incubator.vector", "-Da=b c", "Main"], capture_output=True, text=True, check=True
    )
    assert said.stdout.splitlines() == ["-Xmx1g", "-Da=b c", "Main"]


def test_spark_gets_a_home_that_runs_on_the_bundled_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLOOP_CACHE", str(tmp_path))
    home = java.spark_java_home({"PATH": "/nonexistent"})
    assert home.is_relative_to(tmp_path)
    said = subprocess.run(
        [home / "bin" / "java", "--add-modules=jdk.incubator.vector", "-version"], capture_output=True, text=True, check=True
    )
    assert "version" in said.stderr
    assert java.spark_java_home({"PATH": "/nonexistent"}) == home
