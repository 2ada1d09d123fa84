from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from features.base.settings import load
from infra.cli.spark import Size, milliseconds, needs_archive, needs_broker, span
from infra.errors import PlatformError


@pytest.mark.parametrize(
    ("master", "threads"), [("local[3]", 3), ("local", 1), ("local[2,4]", None), ("spark://host:7077", None)]
)
def test_threads_of_a_master(master: str, threads: int | None) -> None:
    assert Size(master).threads == (threads or Size(master).threads) >= 1


@pytest.mark.parametrize("memory", ["", "1", "1gb", "0g", "-1g"])
def test_a_memory_that_java_would_not_take_is_named(memory: str) -> None:
    with pytest.raises(PlatformError, match=r"--driver-memory is .*; write a size like 1g or 512m"):
        Size(driver_memory=memory)


def test_too_little_memory_is_refused_before_java_starts() -> None:
    with pytest.raises(PlatformError, match=r"--driver-memory is 1m; Spark does not start below 512m"):
        Size(driver_memory="1m")


@pytest.mark.parametrize("master", ["local", "local[4]", "local[*]", "yarn", "spark://host:7077"])
def test_masters_that_spark_takes_are_taken(master: str) -> None:
    assert Size(master=master).threads >= 1


@pytest.mark.parametrize("master", ["", "bogus", "local[x]", "spark://"])
def test_a_master_that_spark_does_not_know_is_named(master: str) -> None:
    with pytest.raises(PlatformError, match=r"--master is .*; write local"):
        Size(master=master)


def test_a_scratch_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match=r"--scratch is .*; there is no such folder"):
        Size(scratch=tmp_path / "none")
    assert Size(scratch=tmp_path).scratch == tmp_path


def test_times_are_utc() -> None:
    assert milliseconds(datetime(2026, 1, 5)) == 1_767_571_200_000
    assert span(None, datetime(2026, 1, 5)) == (None, 1_767_571_200_000)
    with pytest.raises(PlatformError, match="--from 2026-01-05 00:00 is not before --to 2026-01-05 00:00"):
        span(datetime(2026, 1, 5), datetime(2026, 1, 5))


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="there is no archive"):
        needs_archive(load(tmp_path))
    with pytest.raises(PlatformError, match="run driftloop up first"):
        needs_broker(load(tmp_path))
