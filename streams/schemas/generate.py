"""JSON Schemas of the events, and their page in the docs, written from the structs of ``features.base.events``.

``python -m streams.schemas.generate`` writes them, ``--check`` only says which are out of date (exit code 1).
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from features.base.active import ROLES
from features.base.broker_names import plain
from features.base.events import EVENT_OF
from streams import topics
from streams.topology import TOPOLOGY, Topology

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = Path(__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "events.md"

#: What the records of each topic are keyed by, and who writes them beside processors.
KEY_AND_OUTSIDERS: dict[str, tuple[str, tuple[str, ...]]] = {
    topics.EVENTS: (f"`{ROLES.subject}`", ("producers",)),
    topics.SCORES: (f"`{ROLES.subject}`", ()),
    topics.ALERTS: (f"`{ROLES.subject}`", ()),
    topics.LABELS: (f"`{ROLES.subject}`", ("producers", "analysts")),
    topics.OUTCOMES: ("`counterpart`", ()),
    topics.DRIFT_REPORTS: ("model", ()),
    topics.RETRAIN_REQUESTS: ("model", ("`driftloop retrain`",)),
    topics.MODEL_EVENTS: ("model", ("`driftloop rollback`",)),
    topics.DLQ: ("as the source", ()),
    topics.DLQ_HANDLED: ("the letter's `partition:offset`", ("`driftloop dlq`",)),
}

Schema = dict[str, Any]


def schema(topic: str) -> Schema:
    """Return the JSON Schema (draft 2020-12) of a value of ``topic``; structs within it are under ``$defs``.

    Raises KeyError where ``topic`` is none of ours.
    """
    event = EVENT_OF[topic]
    (root,), definitions = msgspec.json.schema_components([event])
    own = definitions.pop(root["$ref"].rsplit("/", 1)[1])
    for struct in (own, *definitions.values()):
        # msgspec hands the docstring over with its indentation.
        struct["description"] = inspect.cleandoc(struct["description"])
    document: Schema = {"$schema": DIALECT, "$id": f"urn:driftloop:{topic}", **own}
    return document | ({"$defs": definitions} if definitions else {})


def render_schema(topic: str) -> str:
    """Return the schema of ``topic`` as the text of its file."""
    return json.dumps(schema(topic), indent=2, ensure_ascii=False) + "\n"


def type_text(field: Schema) -> str:
    """Return a field's type in words: ``integer``, ``string or null``, ``array of number``, ``"a" or "b"``."""
    if "anyOf" in field:
        return " or ".join(type_text(option) for option in field["anyOf"])
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "enum" in field:
        return " or ".join(f'"{value}"' for value in field["enum"])
    return _container_text(field)


def _container_text(field: Schema) -> str:
    kind = str(field.get("type", "any value"))
    if field.get("contentEncoding"):
        return f"{kind} ({field['contentEncoding']})"
    if "prefixItems" in field:
        return "[" + ", ".join(type_text(item) for item in field["prefixItems"]) + "]"
    if "items" in field:
        return f"{kind} of {type_text(field['items'])}"
    if "additionalProperties" in field:
        return f"{kind} of {type_text(field['additionalProperties'])}"
    return kind


def limits_text(field: Schema) -> str:
    """Return a field's limits in words, empty where there are none."""
    for option in field.get("anyOf", ()):
        if text := limits_text(option):
            return text
    words = {
        "minimum": "at least {minimum}",
        "maximum": "at most {maximum}",
        "exclusiveMaximum": "below {exclusiveMaximum}",
        "pattern": "matches `{pattern}`",
        "maxLength": "{minLength} to {maxLength} characters",
    }
    return ", ".join(text.format_map({"minLength": 0, **field}) for key, text in words.items() if key in field)


def _field_rows(struct: Schema) -> list[str]:
    required = set(struct.get("required", ()))
    rows = ["| field | type | default | limits |", "| --- | --- | --- | --- |"]
    for name, field in struct["properties"].items():
        default = "required" if name in required else f"`{json.dumps(field.get('default'))}`"
        rows.append(f"| `{name}` | {type_text(field)} | {default} | {limits_text(field)} |")
    return rows


def writers_text(topic: str, topology: Topology = TOPOLOGY) -> str:
    """Name who writes a topic, in words."""
    writers = topology.writers(topic)
    if len(writers) > 1 and len(writers) == len(topology.streaming):
        writers = ("every processor",)
    return ", ".join((*writers, *KEY_AND_OUTSIDERS[topic][1]))


def render_page() -> str:
    """Return docs/events.md: every topic with its key, its writer and its fields."""
    lines = [
        "# Events",
        "",
        "Written by `python -m streams.schemas.generate` from `features/base/events.py`; do not edit by hand.",
        "",
        "Values are JSON; producers may also send Avro and Protobuf ([schema-registry.md](schema-registry.md)). Money is an",
        "integer in minor units of its currency ([money](money.md)), times are epoch milliseconds, UTC; integers are written",
        "without a fraction (`5`, not `5.0`, which JSON Schema cannot tell apart). Unknown fields are ignored, so a producer may",
        "send more.",
        "The JSON Schemas are in `streams/schemas/`. A record that does not match goes to `dlq` with the reason.",
        "",
        "| topic | value | key | written by |",
        "| --- | --- | --- | --- |",
    ]
    for topic, event in EVENT_OF.items():
        key, writer = KEY_AND_OUTSIDERS[topic][0], writers_text(topic)
        lines.append(f"| `{topic}` | [{event.__name__}](#{event.__name__.lower()}) | {key} | {writer} |")
    for topic, event in EVENT_OF.items():
        document = schema(topic)
        lines += ["", f"## {event.__name__}", "", f"Topic `{topic}`. {document['description'].replace('``', '`')}", ""]
        lines += _field_rows(document)
    return "\n".join(lines) + "\n"


def files() -> dict[Path, str]:
    """Return every generated file with the text it should hold."""
    return {FOLDER / f"{plain(topic)}.json": render_schema(topic) for topic in EVENT_OF} | {PAGE: render_page()}


def outdated() -> list[Path]:
    """Return generated files that are missing or differ from what the structs say, and schemas of topics that are gone."""
    wanted = files()
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    return stale + [path for path in sorted(FOLDER.glob("*.json")) if path not in wanted]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or with ``--check`` only say which are out of date; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m streams.schemas.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit code 1 where a file is out of date")
    check = parser.parse_args(arguments).check
    stale = outdated()
    wanted = files()
    for path in stale:
        if check:
            sys.stderr.write(f"{path} is out of date; run python -m streams.schemas.generate\n")
        elif path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path])
        else:
            path.unlink()
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
