"""The secrets of a secure platform, in ``secrets/``: made at its first ``up``, kept from then on, never printed.

::

    ca.pem, ca.key            the platform's certificate authority; ca.pem is what clients trust
    broker.pem, admin.pem     certificate and key of the broker, and of `driftloop up` where it administers Kafka
    model-server.pem          certificate and key of the model server, for network.tls
    kafka/NAME                password of the Kafka user NAME
    redis                     password of Redis
    log-key                   key of the hashes that stand for ids in log lines (features.base.redaction)
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from features.base import private_files
from features.base.settings import REDIS_PASSWORD, Settings


def prepare(settings: Settings, users: Iterable[str]) -> None:
    """Make what is missing; renew certificates that end soon. A host to which ``ca.pem`` was copied without its key gets nothing:
    all that it needs comes from the host of the broker (docs/apart.md)."""
    if (settings.secrets / "ca.pem").exists() and not (settings.secrets / "ca.key").exists():
        return
    # cryptography is not needed by whoever only reads a password.
    from infra.security.certificates import authority, certificate

    folder = private_files.folder(settings.secrets)
    authority(folder)
    network = settings.network
    certificate(folder, "admin")
    certificate(folder, "broker", hosts=[network.host("kafka")])
    certificate(folder, "model-server", hosts=[network.host("model_server")])
    passwords = private_files.folder(folder / "kafka")
    for user in users:
        private_files.password(passwords / user)
    private_files.password(folder / "redis")


def export(settings: Settings) -> None:
    """Put the password of the platform's own Redis where Feast and our clients look for it: into the environment of this process
    and its children."""
    path = settings.secrets / "redis"
    if settings.secure and not settings.feast.redis and path.exists():
        os.environ[REDIS_PASSWORD] = path.read_text().strip()


def redis_password(settings: Settings) -> str:
    """Read the password of the platform's own Redis; empty where it has none. Raises OSError where it cannot be read."""
    return (settings.secrets / "redis").read_text().strip() if settings.secure else ""
