"""What a processor says of itself on its page of metrics."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from features.base.web_client import read_url

_TIMEOUT_S = 10.0


def total(port: int, name: str) -> float:
    """The sum of a metric over its labels, as the process at ``port`` of this machine tells it; 0 where it has none.

    Raises OSError where nobody answers.
    """
    text = read_url(f"http://127.0.0.1:{port}/metrics", _TIMEOUT_S).decode()
    return sum(
        sample.value for family in text_string_to_metric_families(text) for sample in family.samples if sample.name == name
    )
