"""``python -m benchmarks.streams.tuning``: the bare exactly-once hop's latency, with one of our settings changed at a time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext

import numpy as np
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from benchmarks.common import machine, write
from benchmarks.streams import child, world
from benchmarks.streams.latency import STEADY_S, WARM, measure
from benchmarks.streams.options import parser
from benchmarks.streams.percentiles import percentiles
from benchmarks.streams.tables.tuning import Changed, Tuning, section
from benchmarks.streams.watch import Topics, wait
from features.base.settings import Settings
from infra.errors import PlatformError
from streams.kafka.clients import admin, producer

_RATE = 1_000
#: What is changed: whose setting, its name, what we have, and what is tried.
_PRODUCER, _SCORING, _BROKER = "the transactional producer's ", "scoring.", "the broker's "
_CHANGES = (
    (_PRODUCER, "retry.backoff.ms", "10", "10"),
    (_PRODUCER, "retry.backoff.ms", "10", "100"),
    (_PRODUCER, "linger.ms", "0", "2"),
    (_SCORING, "linger_ms", "2", "0"),
    (_SCORING, "linger_ms", "2", "5"),
    # Of the broker those that it takes while it runs: all are measured on one.
    (_BROKER, "num.io.threads", "4", "8"),
    (_BROKER, "transaction.partition.verification.enable", "true", "false"),
)


def main(arguments: list[str] | None = None) -> int:
    """0; 2 with one line on standard error where the platform does not come up, or records are lost."""
    options = parser("benchmarks.streams.tuning", __doc__).parse_args(arguments)
    a_hop = WARM // 10 + int(_RATE * (STEADY_S + options.rounds * options.seconds))
    try:
        with world.running(len(_CHANGES) * a_hop, options.cards) as (settings, events):
            write(run(settings, events, options.rounds, options.seconds), options.json)
            print(section(options.json))
    except (PlatformError, ValueError, RuntimeError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def run(settings: Settings, events: world.Events, rounds: int, seconds: float) -> Tuning:
    """A hop for each change, the first without one; each is measured in its turn, while the others idle."""
    on = machine()
    asked = Topics(settings)
    at = 0
    with ExitStack() as stack:
        sender = stack.enter_context(closing(producer(settings)))
        for i, (whose, name, _, tried) in enumerate(_CHANGES):
            source, target = _topics(i)
            world.create(settings, source, target)
            changes = [f"{name}={tried}"] if whose == _PRODUCER else []
            environment = {"DRIFTLOOP_SCORING__LINGER_MS": tried} if whose == _SCORING else {}
            hop = child.hop(settings, source, target, settings.scoring.max_batch, *changes, environment=environment)
            stack.enter_context(hop)
            world.fill(settings, source, events.part(at, at + WARM // 10))
            at += WARM // 10
            wait(hop, asked.committed(f"hop-{source}", source), WARM // 10, 120)
        latencies: list[list[np.ndarray]] = [[] for _ in _CHANGES]
        for lasting, counts in [(STEADY_S, False)] + [(seconds, True)] * rounds:
            for i in range(len(_CHANGES)):
                source, target = _topics(i)
                part = events.part(at, at + int(_RATE * lasting))
                at += len(part)
                whose, name, _, tried = _CHANGES[i]
                with _broker_with(settings, name, tried) if whose == _BROKER else nullcontext():
                    times, _ = measure(settings, sender, part, source, target, _RATE)
                if counts:
                    latencies[i].append(times)
    ways = []
    for (whose, name, ours, tried), parts in zip(_CHANGES, latencies, strict=True):
        times = np.concatenate(parts)
        p50, p95, p99, _ = percentiles(times)
        ways.append(Changed(whose + name, ours, tried, len(times), p50, p95, p99))
    return Tuning(on, _RATE, rounds, seconds, ways)


@contextmanager
def _broker_with(settings: Settings, name: str, value: str) -> Iterator[None]:
    """The broker has this setting meanwhile."""
    asked = admin(settings)

    def alter(operation: AlterConfigOpType) -> None:
        entry = ConfigEntry(name, value, incremental_operation=operation)
        resource = ConfigResource(ResourceType.BROKER, "1", incremental_configs=[entry])
        asked.incremental_alter_configs([resource], request_timeout=10)[resource].result()

    alter(AlterConfigOpType.SET)
    try:
        yield
    finally:
        alter(AlterConfigOpType.DELETE)


def _topics(change: int) -> tuple[str, str]:
    return f"hop-in-{change}", f"hop-out-{change}"


if __name__ == "__main__":
    sys.exit(main())
