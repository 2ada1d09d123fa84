"""Events as records of a format, for whoever publishes: the counterpart of ``streams.wire.wire``."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any, TypeAlias

import msgspec

from streams.wire import ours
from streams.wire.framing import encoded_indexes, prefix
from streams.wire.ours import Format

Encode: TypeAlias = Callable[[msgspec.Struct], bytes]

_json = msgspec.json.Encoder().encode
#: Our own .proto files hold one message each.
_FIRST = encoded_indexes((0,))


def encoder(form: Format, topic: str, schema: int = 0) -> Encode:
    """Return what writes an event of ``topic`` in a format; ``schema``: the id of our own schema of it at the registry."""
    if form == "json":
        return _json
    head = prefix(schema)
    if form == "json-schema":
        return lambda event: head + _json(event)
    return _avro(topic, head) if form == "avro" else _protobuf(topic, head + _FIRST)


def _avro(topic: str, head: bytes) -> Encode:
    import fastavro

    from streams.wire.avro import bare

    schema = fastavro.parse_schema(bare(ours.avro(topic)))
    write = fastavro.schemaless_writer
    none: frozenset[str] = frozenset()

    def encode(event: msgspec.Struct) -> bytes:
        out = BytesIO()
        out.write(head)
        write(out, schema, ours.fields_of(event, none))
        return out.getvalue()

    return encode


def _protobuf(topic: str, head: bytes) -> Encode:
    from google.protobuf import descriptor_pool, message_factory

    from streams.wire import protoc

    pool = descriptor_pool.DescriptorPool()
    files = protoc.compiled(ours.protobuf(topic), {}).file
    for file in files:
        pool.Add(file)
    name = f"{files[-1].package}.{files[-1].message_type[0].name}"
    message: Any = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
    enums = ours.proto_enums(topic)

    def encode(event: msgspec.Struct) -> bytes:
        data: bytes = message(**ours.fields_of(event, enums)).SerializeToString()
        return head + data

    return encode
