"""One number from a process's metrics page."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from features.base.settings import Settings
from features.base.web_client import read_url


def counter(settings: Settings, process: str, name: str) -> float:
    """Sum the sample ``name`` at a process over all labels; 0 where it has none. Raises OSError when it does not answer."""
    text = read_url(settings.metrics_url(process), 10).decode()
    return sum(s.value for family in text_string_to_metric_families(text) for s in family.samples if s.name == name)
