"""Connections to Redis from the text that Feast understands: ``host:port[,name=value...]``.

One server (or the address of a managed service's primary): not Redis Cluster, whose slots our scripts and pipelines would cross.
"""

from __future__ import annotations

import json
import os
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from features.base.settings import SettingsError


def connect(connection: str, timeout_s: float) -> redis.Redis:
    """Make a client that fails within ``timeout_s`` and does not try again: a micro-batch cannot wait.

    It connects at the first command. Raises SettingsError where ``connection`` names an environment variable that is not set.
    """
    address, options = parsed(connection)
    host, _, port = address.rpartition(":")
    limits = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s, "retry": Retry(NoBackoff(), 0)}
    return redis.Redis(host=host, port=int(port), **(limits | options))


def parsed(connection: str) -> tuple[str, dict[str, Any]]:
    """Return host:port and the options, by Feast's rules: ``${NAME}`` is the environment's, values are JSON where they can be."""
    text = os.path.expandvars(connection)
    if "${" in text:
        raise SettingsError(
            f"feast.redis is {connection}, and the environment lacks a variable that it names; set it, or change feast.redis"
        )
    address, *pairs = text.split(",")
    return address, dict(_option(*pair.split("=", 1)) for pair in pairs)


def _option(name: str, value: str) -> tuple[str, Any]:
    if name in ("username", "password"):
        return name, value  # text, digits or not
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
