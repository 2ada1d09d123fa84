"""Schemas by id, as a registry would hand them out, for the tests of what is around it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from features.base.storage import FolderStore
from streams import topics
from streams.kafka.records import Record
from streams.wire import ours
from streams.wire.encode import encoder
from streams.wire.errors import RegistryAway, UnknownSchema
from streams.wire.ours import Format
from streams.wire.registry import Registered
from streams.wire.wire import Wire

T0 = 1_767_571_200_000


class Schemas:
    """``away``: how many asks are in vain; ``asked``: each ask, in order."""

    url = "http://127.0.0.1:1"

    def __init__(self) -> None:
        self.of: dict[int | UUID, Registered] = {}
        self.asked: list[int | UUID] = []
        self.away = 0

    def fetch(self, schema: int | UUID) -> Registered:
        self.asked.append(schema)
        if self.away:
            self.away -= 1
            raise RegistryAway("the schema registry does not answer")
        if schema not in self.of:
            raise UnknownSchema(f"no schema {schema}")
        return self.of[schema]

    def add(self, form: Format, topic: str = topics.EVENTS) -> int:
        """Register our schema of a topic; return its id."""
        return self.put("AVRO" if form == "avro" else "PROTOBUF" if form == "protobuf" else "JSON", schema_text(form, topic))

    def put(self, kind: Any, text: str) -> int:
        schema = len(self.of) + 1
        self.of[schema] = Registered(kind, text)
        return schema


class Waits:
    """Waits that take no time."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def schema_text(form: Format, topic: str = topics.EVENTS) -> str:
    if form == "avro":
        return json.dumps(ours.avro(topic))
    return ours.protobuf(topic) if form == "protobuf" else '{"type": "object"}'


def wire(folder: Path, source: Schemas | None, waits: Waits | None = None) -> Wire:
    return Wire(source, FolderStore(folder), waits or Waits())


def written(form: Format, schema: int, event: msgspec.Struct, offset: int = 0, topic: str = topics.EVENTS) -> Record:
    return Record(topic, 0, offset, b"k", encoder(form, topic, schema)(event), [], T0 + offset)
