"""The things that rows are about."""

from __future__ import annotations

from feast import Entity, ValueType

OWNER = "driftloop"

CARD = Entity(
    name="card",
    join_keys=["card_id"],
    value_type=ValueType.STRING,
    description="A payment card",
    owner=OWNER,
    tags={"key_of": "transactions, scores"},
)
TERMINAL = Entity(
    name="terminal",
    join_keys=["terminal_id"],
    value_type=ValueType.STRING,
    description="A point of sale",
    owner=OWNER,
    tags={"key_of": "outcomes"},
)
#: Events carry no number of the cardholder, so he is known by his card. A view of customers keeps its name when that changes.
CUSTOMER = Entity(
    name="customer",
    join_keys=["card_id"],
    value_type=ValueType.STRING,
    description="Who pays with a card; known by the card, since events name nobody",
    owner=OWNER,
    tags={"key_of": "transactions, scores"},
)
