"""What the topics, consumer groups and transactional ids of this process are called at the broker.

Several platforms may share a broker where each has a prefix of its own (``topic_prefix`` in driftloop.toml). Names are made when
their modules are loaded, so the command line reads the prefix before it loads any of them, as it does with the domain.
"""

from __future__ import annotations

import os

PREFIX_VARIABLE = "DRIFTLOOP_TOPIC_PREFIX"
#: What Kafka takes in a name, with room for the rest of it.
PREFIX_PATTERN = r"^[A-Za-z0-9._-]{0,64}$"
PREFIX = os.environ.get(PREFIX_VARIABLE, "")


def named(name: str) -> str:
    """Return the name at the broker."""
    return PREFIX + name


def plain(name: str) -> str:
    """Undo ``named``: return what files and folders are called by."""
    return name.removeprefix(PREFIX)
