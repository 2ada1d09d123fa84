"""Kill -9, several times, at random moments: the harness of the processors' delivery guarantees.

A processor runs in a child process (``killed_child``) on topics of the test's own. It is killed while it works, started anew, and
at last left to catch up. A static member (``group.instance.id``) gets its partitions back at once, others after ten seconds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from confluent_kafka import KafkaError, TopicPartition

from features.base.settings import Settings
from streams import topics
from streams.engine.replay_log import record_of
from streams.kafka.clients import consumer, producer
from streams.kafka.create_topics import create
from streams.kafka.records import Record
from streams.publish.lockstep import Lockstep
from streams.topics import Topic

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0


class Killing:
    """One processor, its topics (``partitions`` each), and its deaths."""

    def __init__(
        self, settings: Settings, name: str, inputs: Sequence[str], outputs: Sequence[str], partitions: int, seed: int
    ) -> None:
        self.name = name
        self.suffix = uuid.uuid4().hex[:8]
        self.settings = settings
        self._child: Child | None = None
        self._inputs = tuple(f"{topic}-{self.suffix}" for topic in inputs)
        self._rng = np.random.default_rng(seed)
        self._partitions = partitions
        made = [*inputs, *outputs, topics.DLQ]
        create(settings, [Topic(f"{topic}-{self.suffix}", partitions) for topic in made])
        self._file = settings.dir / "child.json"
        child = settings.model_copy(update={"kafka": {"group.instance.id": f"{name}-{self.suffix}"}, "partitions": partitions})
        self._file.write_text(child.model_dump_json())

    def send(self, records: Sequence[Record]) -> None:
        """Publish to the test's topics; the offsets are those that the records say."""
        sender = producer(self.settings)
        for record in records:
            sender.produce(f"{record.topic}-{self.suffix}", record.value, record.key, record.partition, headers=record.headers)
            sender.poll(0)
        assert sender.flush(30) == 0

    def read(self, topic: str) -> list[Record]:
        """What is committed there; the topics by their real names."""
        reader = consumer(self.settings, uuid.uuid4().hex)
        reader.assign([TopicPartition(f"{topic}-{self.suffix}", p, 0) for p in range(self._partitions)])
        records, waiting = [], self._partitions
        try:
            while waiting:
                for message in reader.consume(5000, 1.0):
                    if message.error() is None:
                        records.append(record_of(message))
                    else:
                        assert message.error().code() == KafkaError._PARTITION_EOF
                        waiting -= 1
        finally:
            reader.close()
        return records

    def mib(self, what: str) -> float:
        """Memory of the living child by this name in /proc: VmRSS is what it holds, VmHWM the most that it has held."""
        assert self._child is not None
        return self._child.mib(what)

    def lags(self) -> bool:
        with Lockstep(self.settings, {f"{self.name}-{self.suffix}": self._inputs}) as lockstep:
            return bool(lockstep.waiting_for())

    def under(self, records: Sequence[Record], kills: int) -> None:
        """Publish while it works; kill it ``kills`` times, each after a random share of the records; then let it catch up."""
        sending = threading.Thread(target=self.send, args=(records,))
        sending.start()
        for _ in range(kills):
            child = self._child or self._start()
            most = max(len(records) // (kills + 1), 2)
            child.wait_for(int(self._rng.integers(1, most)))
            time.sleep(float(self._rng.uniform(0, 0.05)))
            assert child.end(signal.SIGKILL) == -signal.SIGKILL, "it ended by itself"
            self._child = None
        sending.join()
        assert not kills or self.lags(), "the last kill came too late to prove anything"
        self._child = self._child or self._start()
        with Lockstep(self.settings, {f"{self.name}-{self.suffix}": self._inputs}, timeout_s=PATIENCE_S) as lockstep:
            lockstep.wait()

    def __enter__(self) -> Killing:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            assert self._child.end(signal.SIGTERM) == 0

    def _start(self) -> Child:
        seed = str(self._rng.integers(1_000_000))
        return Child([sys.executable, "-m", "tests.integration.killed_child", str(self._file), self.name, self.suffix, seed])


class Child:
    """A process that says how many records it has been handed, a number a line."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
        )
        self._taken = 0
        self._more = threading.Condition()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            with self._more:
                self._taken = int(line)
                self._more.notify_all()

    def wait_for(self, records: int) -> None:
        """Until it has been handed so many more."""
        with self._more:
            wanted = self._taken + records
            assert self._more.wait_for(lambda: self._taken >= wanted, PATIENCE_S), "it was handed too little, or ended by itself"

    def mib(self, what: str) -> float:
        """As ``Killing.mib``."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith(f"{what}:"))
        return round(int(line.split()[1]) / 1024, 1)

    def end(self, how: signal.Signals) -> int:
        """Send the signal and return the exit code."""
        self._process.send_signal(how)
        try:
            return self._process.wait(30)
        finally:
            self._process.kill()
            self._process.wait(30)
            self._reading.join(10)
            if self._process.stdout is not None:
                self._process.stdout.close()


def settings_of(platform: Settings, folder: Path, **changes: object) -> Settings:
    """The platform's broker and Redis, and a folder of the test's own."""
    return platform.model_copy(update={"dir": folder, **changes})
