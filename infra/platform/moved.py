"""Records that came to another partition than their subject's, as the processors that move them count them since they began."""

from __future__ import annotations

from typing import TypedDict

from prometheus_client.parser import text_string_to_metric_families

from features.base.settings import Settings
from features.base.web_client import FAILURES, open_url

_MOVED, _CONSUMED = "driftloop_moved_records_total", "driftloop_records_consumed_total"
#: Who moves records, by the name that it has on its page.
_MOVERS = frozenset({"scorer", "label-joiner"})
_NO_PARTITIONER = frozenset({"no key", "another key"})
#: Above this share of records most come elsewhere.
_MOST = 0.5


class Moved(TypedDict):
    """Of one topic. ``records``: how many were moved; ``share``: of all that came; ``came_by``: how many by which way, the most
    first (``streams.engine.moved_counts``); ``clients``: the same by client."""

    records: int
    share: float
    came_by: dict[str, int]
    clients: dict[str, int]


def moved(settings: Settings, timeout_s: float = 2.0) -> dict[str, Moved]:
    """Return what was moved, by topic; topics of which nothing was are left out, as are processes that do not answer."""
    pages = [_page(settings.metrics_url(process), timeout_s) for process, port in settings.ports.metrics.items() if port]
    return summed("\n".join(pages))


def summed(pages: str) -> dict[str, Moved]:
    """Add up what metrics pages say."""
    consumed: dict[str, int] = {}
    ways: dict[str, dict[str, int]] = {}
    clients: dict[str, dict[str, int]] = {}
    for family in text_string_to_metric_families(pages):
        for sample in family.samples:
            topic, count = sample.labels.get("topic", ""), int(sample.value)
            if sample.name == _CONSUMED and sample.labels["processor"] in _MOVERS:
                consumed[topic] = consumed.get(topic, 0) + count
            elif sample.name == _MOVED:
                _add(ways.setdefault(topic, {}), sample.labels["came_by"], count)
                _add(clients.setdefault(topic, {}), sample.labels["client"], count)
    summary = {}
    for topic, of_topic in ways.items():
        records = sum(of_topic.values())
        # Each of them was read twice: where it came, and where it was moved to.
        came = max(1, consumed.get(topic, 0) - records)
        if records:
            summary[topic] = Moved(
                records=records,
                share=min(1.0, records / came),
                came_by=_most_first(of_topic),
                clients=_most_first(clients[topic]),
            )
    return summary


def advice(topic: str, of_topic: Moved, partitioner: str) -> str:
    """Return one line: how many records of a topic were moved, and what to do where they are most."""
    ways = ", ".join(
        f"{count:,} {'with' if way in _NO_PARTITIONER else 'by'} {way}" for way, count in of_topic["came_by"].items()
    )
    line = f"{topic}: {of_topic['records']:,} records ({of_topic['share']:.0%}) were moved to their subject's partition ({ways})"
    if of_topic["share"] <= _MOST:
        return line
    first = next(iter(of_topic["came_by"]))
    way_out = "key records by the subject" if first in _NO_PARTITIONER else f"spread keys by {partitioner}"
    return f"{line}: let producers {way_out}, see docs/producers.md"


def _add(counts: dict[str, int], name: str, count: int) -> None:
    counts[name] = counts.get(name, 0) + count


def _most_first(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda entry: -entry[1]))


def _page(url: str, timeout_s: float) -> str:
    try:
        with open_url(url, timeout_s) as answer:
            return answer.read().decode()
    except FAILURES:
        return ""
