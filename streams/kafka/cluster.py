"""Which cluster a client talks to: a log's offsets say nothing without it."""

from __future__ import annotations

import re

from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

UNKNOWN = "unknown"


def cluster_id(client: Consumer | AdminClient, topic: str, timeout_s: float = 10.0) -> str:
    """Return the id that the cluster of ``topic`` was made with, as a name for a folder; ``unknown`` where brokers do not tell
    one.

    Raises KafkaException where no broker answers.
    """
    raw_id = client.list_topics(topic, timeout=timeout_s).cluster_id
    return re.sub(r"[^A-Za-z0-9_-]", "_", raw_id) if raw_id else UNKNOWN
