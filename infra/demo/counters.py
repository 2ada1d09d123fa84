"""One number from a process's metrics page."""

from __future__ import annotations

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from features.base.settings import Settings


def counter(settings: Settings, process: str, name: str) -> float:
    """Sum the sample ``name`` at a process over all labels; 0 where it has none. Raises OSError when it does not answer."""
    with urllib.request.urlopen(settings.metrics_url(process), timeout=10) as answer:
        text = answer.read().decode()
    return sum(s.value for family in text_string_to_metric_families(text) for s in family.samples if s.name == name)
