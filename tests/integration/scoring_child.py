"""A process that scores in the real shell, to be killed: ``python -m tests.integration.scoring_child FOLDER SOURCE TARGET SEED``.

The scorer is the real one, with the real profile reader and without a champion. It runs on topics of the test's own, under a
group of its own, and is handed its records in batches of random sizes.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.base.model_client import Prediction
from features.base.settings import load
from features.online.cached_reader import Reader
from features.online.store import ProfileReader
from streams import topics
from streams.engine.core import Output, Wait
from streams.engine.partitioner_setting import homes_of
from streams.engine.shell import Shell
from streams.kafka.records import Record
from streams.scoring.scorer import Scorer


class NoChampion:
    """A model client while nothing is champion: vectors are published unscored."""

    def predict(self, vectors: NDArray[np.float32], schema: str, event_time_ms: int) -> Prediction | None:
        return None

    def close(self) -> None:
        """Nothing is held open."""


class Elsewhere:
    """The scorer between two topics of other names, in random batches."""

    def __init__(self, scorer: Scorer, source: str, target: str, seed: int) -> None:
        self.name = f"scorer-{source}"
        self.inputs: tuple[str, ...] = (source,)
        self.outputs: tuple[str, ...] = (target, source)
        self.replays: tuple[str, ...] = (source,)
        self._scorer = scorer
        self._target = target
        self._rng = np.random.default_rng(seed)

    def process(self, records: Sequence[Record]) -> Output:
        output = Output()
        at = 0
        while at < len(records):
            size = int(self._rng.integers(1, 1500))
            for item in self._scorer.process(records[at : at + size]).produce:
                assert item.topic in (topics.SCORES, self.inputs[0]), "neither a score nor moved"
                topic = self._target if item.topic == topics.SCORES else item.topic
                output.produce.append(msgspec.structs.replace(item, topic=topic))
            at += size
        return output

    def wait_with(self, wait: Wait) -> None:
        self._scorer.wait_with(wait)

    def restore(self, records: Sequence[Record]) -> None:
        self._scorer.restore(records)

    def forget(self, partitions: Sequence[tuple[str, int]]) -> None:
        self._scorer.forget(partitions)


def main(folder: str, source: str, target: str, seed: str) -> None:
    settings = load(folder)
    scorer = Scorer(settings, NoChampion(), Reader(ProfileReader(settings), settings.feast), homes=homes_of(settings))
    largest = int(np.random.default_rng(int(seed)).integers(500, 5000))
    shell = Shell(settings, Elsewhere(scorer, source, target, int(seed)), max_batch=largest)

    def stop(*_: Any) -> None:
        shell.stop()

    signal.signal(signal.SIGTERM, stop)
    shell.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
