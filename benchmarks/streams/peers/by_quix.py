"""The job as a Quix Streams app, run by the Python of its own environment: ``by_quix.py OPTIONS``, a JSON object.

Exactly-once, the card's payments in its RocksDB state, then per event one round trip to Redis (plain redis-py: no Feast) and one
call of the model server's REST V2 over a connection that is kept. Without ``rest``: the state alone.
"""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import redis
import requests

# This runs in an environment of its own, beside this file: what checks types here knows neither.
from card_window import question, step  # type: ignore[import-not-found] # beside this file, which runs alone
from quixstreams import Application, State  # type: ignore[import-not-found] # of the peer's own environment


def main(options: dict[str, Any]) -> None:
    """Until SIGTERM. All other settings are the library's defaults."""
    app = Application(
        broker_address=options["bootstrap"],
        consumer_group=options["group"],
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        state_dir=options["state"],
        loglevel="INFO",
    )
    source = app.topic(options["source"], value_deserializer="json", key_deserializer="str")
    target = app.topic(options["target"], value_serializer="json", key_serializer="str")

    def window(event: dict[str, Any], state: State) -> dict[str, Any]:
        recent, numbers = step(state.get("recent", []), event)
        state.set("recent", recent)
        return {"transaction": event, "numbers": numbers}

    frame = app.dataframe(source).apply(window, stateful=True)
    if options.get("rest"):
        frame = frame.apply(scoring(options))
    frame.to_topic(target)
    app.run()


def scoring(options: dict[str, Any]) -> Any:
    """From an event and its numbers to its score."""
    host, port = options["redis"].rsplit(":", 1)
    store = redis.Redis(host=host, port=int(port))
    fields = {view: [bytes.fromhex(field) for field in names] for view, names in options["fields"].items()}
    session = requests.Session()
    # On loopback: no proxy of the environment's.
    session.trust_env = False
    session.headers["Authorization"] = f"Bearer {Path(options['token_file']).read_text().strip()}"

    def score(value: dict[str, Any]) -> dict[str, Any]:
        event = value["event"]
        with store.pipeline(transaction=False) as pipe:
            for view, name in (("terminal_risk", "terminal_id"), ("customer_profile", "card_id")):
                pipe.hmget(redis_key(options["keys"][view], event[name]), fields[view])
            _, owner = pipe.execute()
        answer = session.post(options["rest"], json=question(value["numbers"], profile(owner), options["width"]))
        answer.raise_for_status()
        return {"transaction": event, "score": answer.json()["outputs"][0]["data"][0]}

    return score


def redis_key(parts: list[str], name: str) -> bytes:
    """Feast's key of one entity: what comes before the id's length, and after the id."""
    data = name.encode()
    return bytes.fromhex(parts[0]) + struct.pack("<I", len(data)) + data + bytes.fromhex(parts[1])


def profile(fields: list[bytes | None]) -> list[float]:
    """The floats of the customer's first array, from Feast's protobuf: the last length that fits is the array's."""
    value = fields[1] if len(fields) > 1 else None
    if not value:
        return []
    count = len(value) // 4 - 1
    return list(struct.unpack(f"<{count}f", value[len(value) - 4 * count :]))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
