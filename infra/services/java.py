"""The Java that Kafka runs on."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from features.jobs.java import JavaNotFound, java_home
from infra.errors import PlatformError


@lru_cache
def find() -> Path:
    """Find the ``java`` to run. Raises PlatformError where there is none that is new enough."""
    try:
        return java_home() / "bin" / "java"
    except JavaNotFound as error:
        raise PlatformError(str(error)) from error
