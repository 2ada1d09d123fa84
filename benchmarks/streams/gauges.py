"""What a processor says of itself on its page of metrics."""

from __future__ import annotations

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

_TIMEOUT_S = 10.0


def total(port: int, name: str) -> float:
    """The sum of a metric over its labels, as the process at ``port`` of this machine tells it; 0 where it has none.

    Raises OSError where nobody answers.
    """
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=_TIMEOUT_S) as answer:
        text = answer.read().decode()
    return sum(
        sample.value for family in text_string_to_metric_families(text) for sample in family.samples if sample.name == name
    )
