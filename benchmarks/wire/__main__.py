"""``python -m benchmarks.wire``: what each format of values costs the processors that read producers' topics."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from benchmarks.common import RESULTS, machine, spread, write
from benchmarks.wire.report import Result, Row, section
from features.base.events import Event
from features.base.storage import FolderStore
from streams import topics
from streams.engine.codec import BatchDecoder
from streams.kafka.records import Record
from streams.publish.encode import encode_events
from streams.simulate.card_fraud.options import Options
from streams.simulate.card_fraud.simulation import Simulation
from streams.wire import ours
from streams.wire.encode import Encode, encoder
from streams.wire.errors import UnknownSchema
from streams.wire.known import Key
from streams.wire.ours import FORMATS
from streams.wire.registry import Registered
from streams.wire.wire import Wire

T = TypeVar("T")

#: Ids of our own schemas, as a registry would hand them out: each is asked for once, which is not what is measured.
_SCHEMAS = {
    1: Registered("AVRO", json.dumps(ours.avro(topics.EVENTS))),
    2: Registered("PROTOBUF", ours.protobuf(topics.EVENTS)),
    3: Registered("JSON", "{}"),
}
_ID = {"json": 0, "avro": 1, "protobuf": 2, "json-schema": 3}


class _Registry:
    url = ""

    def fetch(self, schema: Key) -> Registered:
        if not isinstance(schema, int) or schema not in _SCHEMAS:
            raise UnknownSchema(str(schema))
        return _SCHEMAS[schema]


def measure(events: int, rounds: int, folder: Path) -> Result:
    """Decode and write ``events`` of the simulator in every format, the formats by turns."""
    columns = next(iter(Simulation(Options(cards=max(50, events), terminals=400, seed=7)).days(0, 1))).transactions
    columns = columns.take(slice(0, events))
    wire = Wire(_Registry(), FolderStore(folder))
    decoder, alone = BatchDecoder(Event, "benchmark", wire), BatchDecoder(Event, "benchmark")
    write_as = {form: encoder(form, topics.EVENTS, _ID[form]) for form in FORMATS}
    values = {form: encode_events(columns, write_as[form]) for form in FORMATS}
    records = {form: [Record(topics.EVENTS, 0, i, b"k", v) for i, v in enumerate(values[form])] for form in FORMATS}
    n = len(columns)
    decoded: dict[str, list[float]] = {form: [] for form in (*FORMATS, "alone")}
    written: dict[str, list[float]] = {form: [] for form in FORMATS}
    for form in FORMATS:
        assert decoder.decode(records[form])[1] == alone.decode(records["json"])[1]
    events_of = alone.decode(records["json"])[1]
    for _ in range(rounds):
        decoded["alone"].append(_rate(alone.decode, records["json"]))
        for form in FORMATS:
            decoded[form].append(_rate(decoder.decode, records[form]))
            written[form].append(_rate(partial(_write_all, write_as[form]), events_of))
    rows = [Row(form, sum(map(len, values[form])) / n, spread(decoded[form]), spread(written[form])) for form in FORMATS]
    return Result(machine(), n, spread(decoded["alone"]), rows)


def _write_all(write: Encode, events: list[Event]) -> None:
    for event in events:
        write(event)


def _rate(do: Callable[[list[T]], object], rows: list[T]) -> float:
    began = time.process_time()
    do(rows)
    return len(rows) / (time.process_time() - began)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and write the result where asked; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wire", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, default=RESULTS / "wire.json")
    given = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="driftloop-wire-") as folder:
        write(measure(given.events, given.rounds, Path(folder)), given.json)
    print(section(given.json))
    return 0


if __name__ == "__main__":
    sys.exit(main())
