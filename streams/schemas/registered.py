"""Our schemas at a schema registry: what they say, under which subjects, and whether they fit what is there."""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from streams.schemas.generate import schema
from streams.wire import ours
from streams.wire.ours import Format
from streams.wire.registry import Registry, RegistryRefused

_TYPES: dict[Format, str] = {"avro": "AVRO", "protobuf": "PROTOBUF", "json-schema": "JSON", "json": "JSON"}
_ABSENT = 404


class Incompatible(ValueError):
    """The registry would not take a schema beside those that it has; the message says why."""


class Published(NamedTuple):
    """``state``: whether it is new now, was there, or would be new. ``id`` and ``version``: 0 where there is none yet."""

    subject: str
    state: Literal["registered", "there", "would register"]
    id: int
    version: int


def text(form: Format, topic: str) -> str:
    """Return our schema of a topic's values."""
    if form == "avro":
        return json.dumps(ours.avro(topic), indent=2)
    return ours.protobuf(topic) if form == "protobuf" else json.dumps(schema(topic), indent=2, ensure_ascii=False)


def latest(registry: Registry, form: Format, topic: str) -> Published | None:
    """Look our schema up; None where it is not registered. Raises RegistryRefused, RegistryAway."""
    subject = ours.subject(topic)
    try:
        answer = registry.ask(f"/subjects/{quote(subject, safe='')}", _body(form, topic))
    except RegistryRefused as error:
        if error.status == _ABSENT:
            return None
        raise
    return Published(subject, "there", int(answer["id"]), int(answer.get("version", 0)))


def publish(registry: Registry, form: Format, topic: str, *, dry_run: bool) -> Published:
    """Register our schema where it is not there yet and fits what is. Raises Incompatible, RegistryRefused, RegistryAway."""
    if (known := latest(registry, form, topic)) is not None:
        return known
    subject = ours.subject(topic)
    _check(registry, form, topic)
    if dry_run:
        return Published(subject, "would register", 0, 0)
    answer = registry.ask(f"/subjects/{quote(subject, safe='')}/versions", _body(form, topic))
    after = latest(registry, form, topic)
    return Published(subject, "registered", int(answer["id"]), after.version if after is not None else 0)


def _check(registry: Registry, form: Format, topic: str) -> None:
    subject = ours.subject(topic)
    path = f"/compatibility/subjects/{quote(subject, safe='')}/versions/latest?verbose=true"
    try:
        answer = registry.ask(path, _body(form, topic))
    except RegistryRefused as error:
        if error.status == _ABSENT:
            return  # there is no version to be compatible with
        raise
    if not answer.get("is_compatible", True):
        why = " / ".join(str(line) for line in answer.get("messages") or []) or "the registry does not say why"
        raise Incompatible(f"{subject} has a version with which ours is not compatible ({why[:500]}); nothing was registered")


def _body(form: Format, topic: str) -> dict[str, Any]:
    return {"schemaType": _TYPES[form], "schema": text(form, topic)}
