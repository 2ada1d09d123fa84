"""Apache Kafka: one KRaft node, broker and controller in one process, its data in ``kafka/``."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import uuid
from pathlib import Path

from features.base.environment import without
from features.base.network import LOOPBACK
from features.base.settings import Settings
from infra.errors import PlatformError
from infra.security.certificates import PREFIX
from infra.services import jars, java

_MAIN = "kafka.Kafka"
_FORMAT = "kafka.tools.StorageTool"

#: The metadata.version that Kafka's own StorageTool writes in this release (4.2-IV1): it reads no higher one.
LEVEL = 29

_SCRAM = "SCRAM-SHA-512"
_SCRAM_MODULE = "org.apache.kafka.common.security.scram.ScramLoginModule"

_LOGGING = """status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.started.name = org.apache.kafka.common.utils.AppInfoParser
logger.started.level = info
"""


def data(settings: Settings) -> Path:
    return settings.dir / "kafka"


def properties(settings: Settings) -> dict[str, str]:
    """Return server.properties. Only the clients' listener may leave loopback; one replica of everything; few internal
    partitions, so that it starts fast; topics appear only when ``driftloop up`` creates them."""
    single = dict.fromkeys(
        (
            "offsets.topic.replication.factor",
            "transaction.state.log.replication.factor",
            "transaction.state.log.min.isr",
            "share.coordinator.state.topic.replication.factor",
            "share.coordinator.state.topic.min.isr",
            "default.replication.factor",
            "min.insync.replicas",
        ),
        "1",
    )
    return (
        single
        | (_secure(settings) if settings.secure else _open(settings))
        | {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{LOOPBACK}:{settings.ports.kafka_controller}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(data(settings) / "log"),
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.num.partitions": "1",
            "group.initial.rebalance.delay.ms": "0",
            "auto.create.topics.enable": "false",
            "num.network.threads": "2",
            "num.io.threads": "4",
            "num.recovery.threads.per.data.dir": "2",
            "log.retention.hours": str(365 * 24),
            # As long as the logs: a group whose offsets are gone would process a log that it has processed once more.
            "offsets.retention.minutes": str(365 * 24 * 60),
            # After kill -9 the controller lets the broker in again only once its old session has ended. Less than this is
            # sooner, but a machine that stalls for some seconds then loses its leaders.
            "broker.session.timeout.ms": "9000",
            "broker.heartbeat.interval.ms": "1000",
        }
    )


def _open(settings: Settings) -> dict[str, str]:
    ports = settings.ports
    return {
        "listeners": f"PLAINTEXT://{settings.network.bind.kafka}:{ports.kafka},CONTROLLER://{LOOPBACK}:{ports.kafka_controller}",
        "advertised.listeners": f"PLAINTEXT://{settings.network.host('kafka')}:{ports.kafka}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
    }


def _secure(settings: Settings) -> dict[str, str]:
    """Have clients come with a password (SCRAM over TLS); the broker itself, its controller and the admin with a certificate of
    the platform's own authority, so that no password is needed before there are users. What no rule allows is refused."""
    ports = settings.ports
    inside = f"INTERNAL://{LOOPBACK}:{ports.kafka_internal}"
    certified = {f"listener.name.{name}.ssl.client.auth": "required" for name in ("internal", "controller")}
    return certified | {
        "listeners": f"CLIENTS://{settings.network.bind.kafka}:{ports.kafka},{inside},CONTROLLER://{LOOPBACK}:{ports.kafka_controller}",
        "advertised.listeners": f"CLIENTS://{settings.network.host('kafka')}:{ports.kafka},{inside}",
        "listener.security.protocol.map": "CLIENTS:SASL_SSL,INTERNAL:SSL,CONTROLLER:SSL",
        "inter.broker.listener.name": "INTERNAL",
        "sasl.enabled.mechanisms": _SCRAM,
        f"listener.name.clients.{_SCRAM.lower()}.sasl.jaas.config": f"{_SCRAM_MODULE} required;",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(settings.secrets / "broker.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(settings.secrets / "ca.pem"),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": f"User:CN={PREFIX}broker;User:CN={PREFIX}admin",
    }


def prepare(settings: Settings) -> None:
    """Write the configuration; on the first time, format the log folder. Raises PlatformError."""
    folder = data(settings)
    if "," in str(folder):
        raise PlatformError(f"Kafka takes no comma in the path of its log folder ({folder}); choose another --dir")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log4j2.properties").write_text(_LOGGING)
    lines = [f"{name}={value}" for name, value in properties(settings).items()]
    (folder / "server.properties").write_text("\n".join(map(_escaped, lines)) + "\n", encoding="ascii")
    if (folder / "log" / "meta.properties").exists():
        _refuse_newer(folder / "log")
        return
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "0")
    file = str(folder / "server.properties")
    command = [*_java(settings, "64m"), _FORMAT, "format", "-t", cluster, "-c", file, "--ignore-formatted"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=without(os.environ))
    if done.returncode:
        reason = " ".join((done.stderr or done.stdout).split())
        raise PlatformError(f"Kafka could not format its log folder {folder / 'log'}: {reason}")


def _escaped(line: str) -> str:
    """Write a line as Java's properties files have it: Latin-1, all else by its UTF-16; a backslash begins an escape."""
    units = line.replace("\\", "\\\\").encode("utf-16-be")
    codes = [int.from_bytes(units[i : i + 2], "big") for i in range(0, len(units), 2)]
    return "".join(chr(code) if code < 0x80 else f"\\u{code:04x}" for code in codes)


def _refuse_newer(log: Path) -> None:
    """Raise PlatformError where the folder was made for a newer Kafka: it ends with a stack trace, a minute later."""
    made = metadata_level(log)
    if made > LEVEL:
        raise PlatformError(
            f"{log} was made by a newer Kafka than {jars.KAFKA} (metadata level {made}, and this one knows {LEVEL}), so it "
            "cannot be read; go on with the driftloop that made it, or begin anew in another --dir"
        )


def metadata_level(log: Path) -> int:
    """Return the level of metadata.version for which a log folder was formatted; 0 where the folder does not say."""
    try:
        match = re.search(rb"metadata\.version(..)", (log / "bootstrap.checkpoint").read_bytes(), re.DOTALL)
    except OSError:
        return 0
    return int.from_bytes(match[1], "big", signed=True) if match else 0


def command(settings: Settings) -> list[str]:
    """Return the broker's command line."""
    return [*_java(settings, "512m"), _MAIN, str(data(settings) / "server.properties")]


def _java(settings: Settings, heap: str) -> list[str]:
    logging = data(settings) / "log4j2.properties"
    options = [f"-Xmx{heap}", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true", f"-Dlog4j2.configurationFile={logging}"]
    return [str(java.find()), *options, "-cp", f"{jars.resolve()}/*"]
