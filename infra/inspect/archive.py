"""A card's past, from the archive of scores."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from features.archive.locks import reading
from features.base.settings import Settings
from features.catalogue.vector import INDEX, vector_schema


@dataclass(frozen=True, slots=True)
class Past:
    """One scored transaction. ``features`` is None where its vector was made under another schema than today's."""

    event_time_ms: int
    transaction_id: str
    terminal_id: str
    amount_minor: int
    currency: str
    decision: str
    score: float | None
    model_version: str | None
    schema: str
    features: dict[str, float] | None


def history(settings: Settings, card_id: str, last: int, names: list[str]) -> list[Past]:
    """The newest ``last`` archived transactions of a card, oldest first, with the values of the features ``names``.

    By event time, then by place in the topic. Empty for a card that the archive does not know, or where there is no archive.
    """
    if not any((settings.archive / "scores").glob("*/*.parquet")):
        return []
    with reading(settings.archive), duckdb.connect() as connection:
        found = connection.execute(
            """
            select
                event_time_ms, transaction_id, terminal_id, amount_minor, currency, decision, score, model_version,
                schema, features
            from read_parquet(?) where card_id = ?
            order by event_time_ms desc, kafka_partition desc, kafka_offset desc limit ?
            """,
            [str(settings.archive / "scores" / "*" / "*.parquet"), card_id, last],
        )
        columns = [column[0] for column in found.description]
        rows = [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
    schema = vector_schema(settings.features)
    for row in rows:
        row["features"] = _named(row["features"], names) if row["schema"] == schema else None
    return [Past(**row) for row in reversed(rows)]


def _named(vector: list[float], names: list[str]) -> dict[str, float]:
    return {name: vector[INDEX[name]] for name in names}
