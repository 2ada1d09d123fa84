"""A counting core under the driver: topics of one test's own, so that its metrics are, too."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from features.base.sections import Snapshots
from features.base.settings import Settings
from streams.engine.core import Core
from streams.engine.shell import Shell
from streams.engine.testing import Driver
from streams.kafka.records import Record


class World:
    """Two topics of two partitions."""

    def __init__(self, folder: Path) -> None:
        name = uuid.uuid4().hex[:8]
        self.source, self.target = f"in-{name}", f"out-{name}"
        self.settings = Settings(dir=folder, partitions=2, snapshots=Snapshots(interval_s=3600))
        self.shells: list[Shell] = []
        #: Of each life, before it began.
        self.health_before: list[list[str]] = []

    def driver(self, make: Callable[[], Core], max_batch: int | None = None) -> Driver:
        def started(core: Core, shell: Shell) -> None:
            self.shells.append(shell)
            self.health_before.append(shell.health())

        return Driver(self.settings, make, max_batch=max_batch, started=started)

    @property
    def shell(self) -> Shell:
        """Of the life that began last."""
        return self.shells[-1]

    def wait(self, seconds: float) -> None:
        """How the core of the first life waits."""
        self.shells[0].wait(seconds)

    def stop(self) -> None:
        self.shell.stop()

    def records(self, values: Sequence[bytes], first: int = 0) -> list[Record]:
        """The i-th to partition i mod 2."""
        return [Record(self.source, (first + i) % 2, 0, value, value) for i, value in enumerate(values)]

    def outputs(self, driver: Driver) -> list[bytes]:
        return sorted(record.value or b"" for record in driver.read(self.target))
