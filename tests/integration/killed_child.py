"""One processor in the real shell, to be killed: ``python -m tests.integration.killed_child SETTINGS.json NAME SUFFIX SEED``.

It reads and writes topics of the test's own (their names end in SUFFIX), in batches of a random size, and says on standard output
how many records it has been handed.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from features.base.settings import Settings
from features.catalogue.vector import vector_schema
from streams.engine.core import Core, Output, Sink
from streams.engine.shell import Shell
from streams.kafka.records import Record


class Renamed:
    """A core between topics of other names."""

    def __init__(self, core: Core, suffix: str) -> None:
        self.name = f"{core.name}-{suffix}"
        self.inputs: tuple[str, ...] = tuple(f"{topic}-{suffix}" for topic in core.inputs)
        self.outputs: tuple[str, ...] = tuple(f"{topic}-{suffix}" for topic in core.outputs)
        self.replays: tuple[str, ...] = tuple(f"{topic}-{suffix}" for topic in core.replays)
        self._core = core
        self._suffix = suffix
        self._taken = 0

    def _back(self, records: Sequence[Record]) -> list[Record]:
        return [msgspec.structs.replace(record, topic=record.topic.removesuffix(f"-{self._suffix}")) for record in records]

    def process(self, records: Sequence[Record]) -> Output:
        output = self._core.process(self._back(records))
        output.produce = [msgspec.structs.replace(item, topic=f"{item.topic}-{self._suffix}") for item in output.produce]
        self._taken += len(records)
        sys.stdout.write(f"{self._taken}\n")
        sys.stdout.flush()
        return output

    def restore(self, records: Sequence[Record]) -> None:
        self._core.restore(self._back(records))

    def forget(self, partitions: Sequence[tuple[str, int]]) -> None:
        self._core.forget([(topic.removesuffix(f"-{self._suffix}"), partition) for topic, partition in partitions])


def parts(name: str, settings: Settings) -> tuple[Core, Sink | None]:
    """The processor as ``driftloop run`` builds it; the scorer without a model server."""
    if name == "archive":
        from streams.writers.archive import Archive, ArchiveSink

        return Archive(vector_schema(settings.features)), ArchiveSink(settings)
    if name == "feast-writer":
        from streams.writers.subject_activity import FeastSink, FeastWriter

        return FeastWriter(), FeastSink(settings)
    if name == "label-joiner":
        from streams.labels.joiner import LabelJoiner

        return LabelJoiner(settings.labels.delay_ms), None
    if name == "counterpart-risk":
        from features.base.durations import HOUR_MS
        from streams.writers.counterpart_risk import CounterpartRisk, CounterpartRiskSink

        return CounterpartRisk(settings.labels.delay_ms, settings.labels.step_hours * HOUR_MS), CounterpartRiskSink(settings)
    if name == "drift-monitor":
        from streams.drift.monitor import DriftMonitor
        from streams.drift.references import StoredReferences

        return DriftMonitor(settings, StoredReferences(settings)), None
    if name == "scorer":
        from features.online.cached_reader import Reader
        from features.online.store import ProfileReader
        from streams.scoring.scorer import Scorer
        from tests.integration.scoring_child import NoChampion

        return Scorer(settings, NoChampion(), Reader(ProfileReader(settings), settings.feast)), None
    raise ValueError(f"no processor {name}")


@contextmanager
def _compacting(settings: Settings) -> Iterator[None]:
    """Merges without pause, so that kills meet it; ended before the interpreter goes away beneath it."""
    from features.archive.compaction import compact_all
    from features.archive.places import places

    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            compact_all(places(settings))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def main(path: str, name: str, suffix: str, seed: str) -> None:
    settings = Settings(**json.loads(Path(path).read_text()))
    core, sink = parts(name, settings)
    largest = settings.scoring.max_batch if name == "scorer" else int(np.random.default_rng(int(seed)).integers(10, 80))
    shell = Shell(settings, Renamed(core, suffix), sink, max_batch=largest, linger_s=0.01)

    def stop(*_: Any) -> None:
        shell.stop()

    signal.signal(signal.SIGTERM, stop)
    with _compacting(settings) if name in ("archive", "counterpart-risk") else nullcontext():
        shell.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
