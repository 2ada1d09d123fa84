"""A subject's past, from the archive of scores."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from features.archive import mirror
from features.archive.locks import reading
from features.base.active import DOMAIN, ROLES
from features.base.settings import Settings
from features.catalogue.vector import INDEX, vector_schema


@dataclass(frozen=True, slots=True)
class Past:
    """One scored transaction. ``features`` is None where its vector was made under another schema than today's."""

    event_time_ms: int
    event_id: str
    counterpart: str
    measure: int
    unit: str | None
    decision: str
    score: float | None
    model_version: str | None
    schema: str
    features: dict[str, float] | None
    kind: str | None = None


def history(settings: Settings, subject: str, last: int, names: list[str]) -> list[Past]:
    """Read the newest ``last`` archived transactions of a subject, oldest first, with the values of the features ``names``.

    By event time, then by place in the topic. Empty for a subject that the archive does not know, or where there is no archive.
    """
    archive = mirror.archive(settings)
    if not any((archive / "scores").glob("*/*.parquet")):
        return []
    unit, kind = DOMAIN.unit_field or "null", ROLES.kind or "null"
    with reading(archive), duckdb.connect() as connection:
        cursor = connection.execute(
            f"""
            select
                {ROLES.time} as event_time_ms, {ROLES.id} as event_id, {ROLES.counterpart} as counterpart,
                {ROLES.measure} as measure, {unit} as unit, decision, score, model_version, schema, features,
                {kind} as kind
            from read_parquet(?, union_by_name = true) where {ROLES.subject} = ?
            order by event_time_ms desc, kafka_partition desc, kafka_offset desc limit ?
            """,
            [str(archive / "scores" / "*" / "*.parquet"), subject, last],
        )
        columns = [column[0] for column in cursor.description]
        rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    schema = vector_schema(settings.features)
    for row in rows:
        row["features"] = _named(row["features"], names) if row["schema"] == schema else None
    return [Past(**row) for row in reversed(rows)]


def _named(vector: list[float], names: list[str]) -> dict[str, float]:
    return {name: vector[INDEX[name]] for name in names}
