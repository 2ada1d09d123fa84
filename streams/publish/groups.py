"""The consumer groups of the loop and what they read, in the order in which records reach them."""

from __future__ import annotations

from streams.topology import TOPOLOGY

GROUPS: dict[str, tuple[str, ...]] = TOPOLOGY.groups
