"""Spark for the commands: options they share, a session that ends with the command, and when a job's times are."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from features.archive import mirror
from features.base.active import WORDS
from infra.errors import PlatformError
from infra.services import cache_folder, jars

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from features.base.settings import Settings

Master: TypeAlias = Annotated[str, typer.Option(help="Spark's master; local[N] is this machine with N threads.")]
DriverMemory: TypeAlias = Annotated[
    str, typer.Option(help="Heap of Spark's driver, as in 1g or 512m; on one machine, of all of Spark's Java.")
]
Start: TypeAlias = Annotated[datetime | None, typer.Option("--from", help="First event time, UTC.")]
End: TypeAlias = Annotated[datetime | None, typer.Option("--to", help="Event time at which to stop, UTC.")]
Scratch: TypeAlias = Annotated[
    Path | None, typer.Option(help="Folder for Spark's spill and staged files; default: the system's for temporary files.")
]

#: Where a job reads from.
Source: TypeAlias = Literal["archive", "kafka"]

#: The defaults of the options: what fits two cores and 4 GB beside a running platform.
MASTER = "local[2]"
DRIVER_MEMORY = "1g"
LEAST_MB = 512


class JobFailed(PlatformError):
    """The request was fine, but the job could not do it."""

    exit_code = 1


@dataclass(frozen=True)
class Size:
    """How large a session is. Raises PlatformError for a memory size that Java would not take."""

    master: str = MASTER
    driver_memory: str = DRIVER_MEMORY
    scratch: Path | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[1-9]\d*[mg]", self.driver_memory):
            raise PlatformError(f"--driver-memory is {self.driver_memory!r}; write a size like 1g or 512m")
        if self.driver_memory.endswith("m") and int(self.driver_memory[:-1]) < LEAST_MB:
            raise PlatformError(f"--driver-memory is {self.driver_memory}; Spark does not start below {LEAST_MB}m")
        if not re.fullmatch(r"local(\[([1-9]\d*|\*)(,[1-9]\d*)?\])?|yarn|(spark|k8s)://\S+", self.master):
            raise PlatformError(f"--master is {self.master!r}; write local[2], yarn, spark://HOST:PORT or k8s://HOST:PORT")
        if self.scratch is not None and not self.scratch.is_dir():
            raise PlatformError(f"--scratch is {self.scratch}; there is no such folder, make it first")

    @property
    def threads(self) -> int:
        """Return how many tasks run at a time, as far as the master's name tells."""
        match = re.match(r"local(?:\[(\d+|\*))?", self.master)
        if not match or match[1] == "*":
            return os.cpu_count() or 2
        return int(match[1] or 1)


@contextmanager
def session(name: str, size: Size, kafka: bool = False) -> Iterator[tuple[SparkSession, Path]]:
    """Yield a session and its scratch folder; both are gone afterwards. ``kafka``: with the connector, fetched on first use.

    Raises PlatformError without Java, or where the connector cannot be fetched; JobFailed where Spark gives up.
    """
    from pyspark.errors import PySparkRuntimeError

    from features.jobs.java import JavaNotFound
    from features.jobs.spark_session import spark_session

    extra = connector() if kafka else []
    with tempfile.TemporaryDirectory(prefix="driftloop-spark-", dir=size.scratch) as folder:
        scratch = Path(folder)
        try:
            spark = spark_session(
                f"driftloop {name}",
                cache_folder.made_or(scratch),
                scratch,
                size.driver_memory,
                size.master,
                partitions=2 * size.threads,
                jars=extra,
            )
        except JavaNotFound as error:
            raise PlatformError(str(error)) from error
        except PySparkRuntimeError as error:
            raise JobFailed(f"Spark did not start ({error}); check --master and --driver-memory") from error
        from pyspark.errors import PySparkException

        try:
            yield spark, scratch
        except PySparkException as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            # A task's Python error stands at the end of the traceback that Spark hands over; Java's own stands first.
            cause = next((line for line in reversed(lines) if re.match(r"[A-Za-z_.]+(Error|Exception): ", line)), "")
            raise JobFailed(f"Spark gave up: {cause or (lines or ['no reason'])[0]}") from error
        finally:
            spark.stop()


def connector() -> list[Path]:
    """Return the connector's jars, less those that pyspark has itself."""
    from importlib.util import find_spec

    spec = find_spec("pyspark")
    own = {jar.name for place in (spec.submodule_search_locations or [] if spec else []) for jar in Path(place, "jars").iterdir()}
    return [jar for jar in sorted(jars.resolve(jars.CONNECTOR).glob("*.jar")) if jar.name not in own]


def milliseconds(when: datetime | None) -> int | None:
    """Return a time as it is typed, which is UTC, as epoch milliseconds."""
    return None if when is None else int(when.replace(tzinfo=UTC).timestamp() * 1000)


def span(start: datetime | None, end: datetime | None) -> tuple[int | None, int | None]:
    """Return ``--from`` and ``--to`` as epoch milliseconds. Raises PlatformError where there is nothing between them."""
    first, stop = milliseconds(start), milliseconds(end)
    if first is not None and stop is not None and first >= stop:
        raise PlatformError(f"--from {start:%Y-%m-%d %H:%M} is not before --to {end:%Y-%m-%d %H:%M}; leave one out or mend it")
    return first, stop


def needs_archive(settings: Settings, start_ms: int | None = None, end_ms: int | None = None) -> Path:
    """Return the folder of the archive, fetched to this host where it lies elsewhere.

    Raises PlatformError where nothing is archived yet, or all of it lies outside [start_ms, end_ms).
    """
    from features.archive.days import day_folders, day_number, newest_event_ms
    from features.base.durations import DAY_MS
    from infra.inspect.show import when

    archive = mirror.archive(settings)
    scores = archive / "scores"
    newest = newest_event_ms(scores)
    if newest is None:
        raise PlatformError(f"there is no archive in {settings.rows_root}/archive; publish {WORDS.events} first")
    first = day_folders(scores)[0].name
    if (start_ms is not None and start_ms > newest) or (end_ms is not None and end_ms <= day_number(first) * DAY_MS):
        extent = f"{first.removeprefix('day=')} to {when(newest)} UTC"
        raise PlatformError(f"nothing is archived between --from and --to; {settings.rows_root}/archive holds events of {extent}")
    return archive


def needs_broker(settings: Settings) -> None:
    """Raise PlatformError where no broker is known, Refused where it refuses us."""
    if not settings.bootstrap_servers and not settings.ports.kafka:
        raise PlatformError(f"there is no platform in {settings.dir}; run driftloop up first, or choose its folder with --dir")
    from features.jobs.kafka_source import USER
    from streams.kafka.access import check

    check(settings.as_user(USER))


def intervals(texts: list[str] | None) -> list[tuple[int, int]]:
    """Return each FROM/TO of ``--exclude`` as [start, end) in epoch milliseconds. Raises PlatformError, naming the wrong one."""
    spans = []
    for text in texts or []:
        try:
            first, last = (milliseconds(datetime.fromisoformat(part).replace(tzinfo=None)) or 0 for part in text.split("/"))
        except ValueError as error:
            raise PlatformError(f"--exclude is {text!r}; write FROM/TO, as in 2026-02-01/2026-02-03T12:00") from error
        if first >= last:
            raise PlatformError(f"--exclude is {text!r}; FROM must be before TO")
        spans.append((first, last))
    return spans


def needs_store(settings: Settings) -> None:
    """Raise PlatformError where no feature store has been made."""
    from features.feast_repo.store import CONFIG_NAME

    if not (settings.feature_repo / CONFIG_NAME).exists():
        raise PlatformError(f"{settings.feature_repo} holds no feature store; run driftloop up first")
