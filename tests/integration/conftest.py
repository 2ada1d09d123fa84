"""A real broker and a real Redis for the whole session, started by the platform's own code on free ports."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from features.base.settings import Settings, load
from infra.platform import leftovers
from infra.platform import up_down as local

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a platform with Kafka and Redis running and the topics created; nothing of ours runs yet.

    Tests share it: use groups, keys and topics of your own, or read only what you wrote.
    """
    # A run that is told to end (CI's time is up) leaves like one that is interrupted: through the fixtures, down included.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = load(tmp_path_factory.mktemp("platform"))
    try:
        yield local.up(settings, only={"kafka", "redis"})
    finally:
        local.down(settings)
        assert not leftovers.find(settings)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """One Spark for all tests that need one: most of what it costs is its start."""
    from features.jobs.spark_session import spark_session
    from infra.cli.spark import connector

    folder = tmp_path_factory.mktemp("spark")
    session = spark_session("test", folder / "cache", folder / "scratch", jars=connector())
    yield session
    session.stop()
