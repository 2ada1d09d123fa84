"""Kafka for Spark: records decoded as the processors decode them, and librdkafka's settings under their Java names."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.base.active import DOMAIN
from features.base.events import Score
from features.base.kafka_options import client
from features.base.settings import Settings, SettingsError
from features.catalogue.vector import unpacked
from features.transform.arrow import schema_of

#: By its name on the wire, the attribute of an event.
_EVENT = {field.encode_name: field.name for field in msgspec.structs.fields(DOMAIN.event)}
_PLACE = ("kafka_partition", "kafka_offset")
_COUNTED = ("reference_measure", "measure_unknown")
#: The Kafka user of the jobs.
USER = "jobs"
#: Settings that both clients know by one name, and librdkafka's that Java calls otherwise.
_SAME = ("security.protocol", "sasl.mechanism", "ssl.endpoint.identification.algorithm", "client.id")
_RENAMED = {"sasl.mechanisms": "sasl.mechanism"}
_JAAS = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}


def options(settings: Settings) -> dict[str, str]:
    """Return options of Spark's Kafka reader for the platform's broker: read_committed, and ``features.base.kafka_options`` in
    Java's words.

    Raises SettingsError for a setting whose Java name is not known here.
    """
    given = client(settings.as_user(USER))
    java = {"bootstrap.servers": given.pop("bootstrap.servers"), "isolation.level": "read_committed"}
    user, password = given.pop("sasl.username", None), given.pop("sasl.password", None)
    authority = given.pop("ssl.ca.location", None)
    if authority is not None:
        java |= {"ssl.truststore.location": authority, "ssl.truststore.type": "PEM"}
    for name, value in given.items():
        if name not in _SAME and name not in _RENAMED:
            raise SettingsError(
                f"kafka.{name}: the Spark jobs do not know Java's name for it; read from the archive instead (--source archive)"
            )
        # Java knows protocols in capitals only.
        java[_RENAMED.get(name, name)] = value.upper() if name == "security.protocol" else value
    if user is not None:
        mechanism = java.get("sasl.mechanism", "PLAIN")
        if mechanism not in _JAAS:
            raise SettingsError(f"kafka.sasl.mechanism: the Spark jobs know {', '.join(_JAAS)}, not {mechanism}")
        java["sasl.jaas.config"] = f'{_JAAS[mechanism]} required username="{_quoted(user)}" password="{_quoted(password or "")}";'
    return {f"kafka.{name}": value for name, value in java.items()}


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def decoded(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the transactions in batches of scores (columns value, partition, offset), flat, with the place, the vector and its
    schema. Records that do not decode are left out."""
    schema = schema_of((*_EVENT, *_COUNTED, *_PLACE, "schema", "features"))
    for batch in batches:
        kept, scores = _readable(batch)
        columns: dict[str, object] = {
            name: [getattr(score.event, attribute) for score in scores] for name, attribute in _EVENT.items()
        }
        columns |= {name: [getattr(score, name) for score in scores] for name in _COUNTED}
        place = batch.take(pa.array(kept, type=pa.int64()))
        columns |= {"kafka_partition": place.column("partition"), "kafka_offset": place.column("offset")}
        columns |= {"schema": [score.schema for score in scores], "features": [_floats(score) for score in scores]}
        yield pa.RecordBatch.from_pydict(columns, schema=schema)


def _readable(batch: pa.RecordBatch) -> tuple[list[int], list[Score]]:
    """Return the rows of the batch that decode, and what they decode to."""
    decode = msgspec.json.Decoder(Score).decode
    kept: list[int] = []
    scores: list[Score] = []
    for i, value in enumerate(batch.column("value").to_pylist()):
        try:
            scores.append(decode(value))
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        kept.append(i)
    return kept, scores


def _floats(score: Score) -> NDArray[np.float32]:
    """Return the vector; one of a foreign schema may be made of anything."""
    return unpacked(score.features) if len(score.features) % 4 == 0 else np.empty(0, dtype=np.float32)
