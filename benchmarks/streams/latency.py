"""``python -m benchmarks.streams.latency``: from sending a transaction to receiving its score, beside a bare exactly-once hop."""

from __future__ import annotations

import sys
import time
from contextlib import closing

import msgspec
import numpy as np
from confluent_kafka import Producer

from benchmarks.common import machine, write
from benchmarks.streams import child, world
from benchmarks.streams.child import Child
from benchmarks.streams.options import parser
from benchmarks.streams.percentiles import latencies_ms, percentiles
from benchmarks.streams.tables.latency import Hop, Latency, section
from benchmarks.streams.tables.throughput import LIMIT, SCORER
from benchmarks.streams.watch import Topics, wait
from features.base.settings import Settings
from features.domains.card_fraud.event import Payment
from infra.errors import PlatformError
from streams import topics
from streams.kafka.clients import producer

_RATES = (100, 1_000, 5_000)
#: Before anything is measured: what compiles the scorer's loops, and fills its caches.
WARM = 20_000
#: Then both ways in turns at a steady rate: a broker's JVM spends its first minutes compiling, on the cores that are measured.
STEADY, STEADY_S, STEADY_ROUNDS = 1_000, 15.0, 3
_TICK_S = 0.001
_IN, _OUT = "hop-in", "hop-out"


def main(arguments: list[str] | None = None) -> int:
    """0; 2 with one line on standard error where the platform does not come up, or records are lost."""
    options = parser("benchmarks.streams.latency", __doc__).parse_args(arguments)
    a_round = sum(int(rate * options.seconds) for rate in _RATES)
    warm = WARM + 2 * STEADY_ROUNDS * int(STEADY * STEADY_S)
    try:
        with world.running(warm + 2 * options.rounds * a_round, options.cards) as (settings, events):
            result = run(settings, events, options.rounds, options.seconds)
            write(result, options.json)
            print(section(options.json))
    except (PlatformError, ValueError, RuntimeError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def run(settings: Settings, events: world.Events, rounds: int, seconds: float) -> Latency:
    """At every rate the bare hop and the scorer in turns; both processes run all the time, the other one idle."""
    on = machine()
    world.create(settings, _IN, _OUT)
    warm = events.part(0, WARM)
    world.fill(settings, topics.EVENTS, warm)
    world.fill(settings, _IN, warm)
    asked = Topics(settings)
    with (
        # One for all: a new producer's first records wait half a second for its id.
        closing(producer(settings)) as sender,
        child.scorer(settings) as scorer,
        child.hop(settings, _IN, _OUT, settings.scoring.max_batch) as hop,
    ):
        wait(scorer, asked.committed("scorer", topics.EVENTS), WARM, 120)
        wait(hop, asked.committed(f"hop-{_IN}", _IN), WARM, 120)
        latencies: dict[tuple[str, int], list[np.ndarray]] = {}
        sent: dict[tuple[str, int], list[float]] = {}
        at = WARM
        steady = [(STEADY, STEADY_S, False)] * STEADY_ROUNDS
        for rate, lasting, counts in steady + [(rate, seconds, True) for _ in range(rounds) for rate in _RATES]:
            for way, source, target in ((LIMIT, _IN, _OUT), (SCORER, topics.EVENTS, topics.SCORES)):
                part = events.part(at, at + int(rate * lasting))
                at += len(part)
                times, really = measure(settings, sender, part, source, target, rate)
                p50, p99 = np.percentile(times, [50, 99])
                print(f"{way} at {rate}/s: p50 {p50:.1f} ms, p99 {p99:.1f} ms{'' if counts else ' (warm-up)'}", file=sys.stderr)
                if counts:
                    latencies.setdefault((way, rate), []).append(times)
                    sent.setdefault((way, rate), []).append(really)
    hops = []
    for (way, rate), parts in sorted(latencies.items(), key=lambda entry: (entry[0][1], entry[0][0] != LIMIT)):
        times = np.concatenate(parts)
        found_at = [round(value, 2) for value in percentiles(times)]
        hops.append(Hop(way, rate, len(times), round(float(np.mean(sent[way, rate])), 1), *found_at))
    return Latency(on, rounds, seconds, hops)


def measure(
    settings: Settings, sender: Producer, events: world.Events, source: str, target: str, rate: int
) -> tuple[np.ndarray, float]:
    """Latencies in ms of ``events`` sent to ``source`` and received from ``target``, and how many a second were really sent."""
    out = settings.dir / "received.json"
    decode = msgspec.json.Decoder(Payment).decode
    ids = [decode(value).event_id for value in events.values]
    with Child(
        settings, "receiver", ["-P", "-m", "benchmarks.streams.receiver", target, str(len(ids)), str(out)], piped=True
    ) as receiver:
        receiver.wait_for_line()
        stamps, took = _send(sender, events, source, rate)
        receiver.wait(120)
    received = msgspec.json.decode(out.read_bytes(), type=list[tuple[str, int]])
    return latencies_ms(dict(zip(ids, stamps, strict=True)), received), len(ids) / took


def _send(sender: Producer, events: world.Events, topic: str, rate: int) -> tuple[list[int], float]:
    """Send at a steady rate; when each was handed over, Unix time in ns, and the seconds that it took."""
    stamps: list[int] = []
    began = time.perf_counter()
    at, n = 0, len(events)
    while at < n:
        due = min(n, int((time.perf_counter() - began) * rate) + 1)
        for i in range(at, due):
            stamps.append(time.time_ns())
            sender.produce(topic, events.values[i], events.keys[i])
        at = due
        sender.poll(0)
        time.sleep(max(_TICK_S, 0.5 / rate))
    took = time.perf_counter() - began
    if sender.flush(60):
        raise RuntimeError(f"the broker did not take all records of {topic}; look at its log")
    return stamps, took


if __name__ == "__main__":
    sys.exit(main())
