"""Health of each component, asked for the way its clients would: one question, one short answer."""

from __future__ import annotations

import json
import socket
from urllib.error import HTTPError, URLError

from features.base import web_client
from features.base.network import LOOPBACK
from features.base.settings import ADMIN, Settings, SettingsError
from infra.security import secrets

HEALTHY = ""


def check(settings: Settings, name: str, timeout_s: float = 2.0) -> str:
    """Return empty text where the component is healthy, else why not, in a few words."""
    if name == "kafka":
        return kafka(settings, timeout_s)
    if name == "redis":
        try:
            password = secrets.redis_password(settings)
        except OSError as error:
            return f"its password {settings.secrets / 'redis'} cannot be read: {error.strerror}"
        return redis(settings.ports.redis, timeout_s, password, settings.network.host("redis"))
    return http_health(settings.ports.metrics.get(name, 0), timeout_s, settings.network.host("metrics", name))


def kafka(settings: Settings, timeout_s: float) -> str:
    """Check that the broker lists its topics."""
    # First a plain connection: librdkafka would go on trying until the time-out.
    refused = _refused(settings.network.host("kafka"), settings.ports.kafka, timeout_s)
    if refused:
        return refused
    import logging

    from confluent_kafka import KafkaException

    from streams.kafka.clients import admin

    quiet = logging.getLogger("driftloop.health")
    quiet.disabled = True
    try:
        # As the admin: at first there are no other users yet, and their passwords are not what is asked about.
        admin(settings.as_user(ADMIN), quiet).list_topics(timeout=timeout_s)
    except SettingsError as error:
        return str(error)
    except KafkaException as error:
        return f"does not list its topics: {error.args[0].str()}"
    return HEALTHY


def redis(port: int, timeout_s: float, password: str = "", host: str = LOOPBACK) -> str:
    """Check that PING gives PONG; an instance that still loads its data, or that knows another password, does not."""
    try:
        with socket.create_connection((host, port), timeout_s) as connection, connection.makefile("rb") as answers:
            if password:
                connection.sendall(f"AUTH {password}\r\n".encode())
                if not answers.readline(256).startswith((b"+OK", b"-LOADING")):
                    return "refuses the password that the platform has for it"
            connection.sendall(b"PING\r\n")
            answer = answers.readline(256)
    except OSError as error:
        return _reason(error)
    return HEALTHY if answer.startswith(b"+PONG") else f"answered {answer.decode(errors='replace').strip()!r} to PING"


def http_health(port: int, timeout_s: float, host: str = LOOPBACK) -> str:
    """Check that GET /healthz gives 200; return its reasons otherwise."""
    try:
        with web_client.open_url(f"http://{host}:{port}/healthz", timeout_s) as answer:
            answer.read(4096)
            return HEALTHY if answer.status == 200 else f"/healthz says {answer.status}"
    except HTTPError as error:
        with error:
            return f"/healthz says {error.code}: {_summary(error.read(4096))}"
    except web_client.FAILURES as error:
        return _reason(error)


def _refused(host: str, port: int, timeout_s: float) -> str:
    try:
        socket.create_connection((host, port), timeout_s).close()
    except OSError as error:
        return _reason(error)
    return HEALTHY


def _reason(error: Exception) -> str:
    # urllib wraps what the connection raised.
    error = error.reason if isinstance(error, URLError) and isinstance(error.reason, Exception) else error
    if isinstance(error, ConnectionRefusedError):
        return "does not listen yet"
    if isinstance(error, TimeoutError):
        return "does not answer in time"
    return str(error) or type(error).__name__


def _summary(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body))
    except ValueError:
        return " ".join(body.decode(errors="replace").split())[:200]
