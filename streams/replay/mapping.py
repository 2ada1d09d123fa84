"""Which column of a file holds which field."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, get_args

from features.base import names
from features.base.events import Label
from features.domains.card_fraud.event import Payment
from streams.replay.errors import ReplayError

Field = Literal[
    "transaction_id",
    "event_time",
    "card_id",
    "terminal_id",
    "amount",
    "is_fraud",
    "pattern",
    "currency",
    "latitude",
    "longitude",
    "country",
    "merchant_category",
    "entry_mode",
    "pin_used",
    "kind",
]
FIELDS: tuple[Field, ...] = get_args(Field)
#: What a file says in its own units, and which fields of the events are made of it.
_CONVERTED = {"event_time": "event_time_ms", "amount": "amount_minor"}
#: What is no field of an event: the ground truth's.
_TRUTH = "pattern"
names.check(
    f"{__name__}.Field",
    (_CONVERTED.get(field, field) for field in FIELDS if field != _TRUTH),
    {*Payment.__struct_encode_fields__, *Label.__struct_encode_fields__},
    "field of Payment or Label",
)
REQUIRED: tuple[Field, ...] = ("transaction_id", "event_time", "card_id", "terminal_id", "amount", "is_fraud")

#: The columns of the Fraud Detection Handbook's data set.
HANDBOOK: dict[Field, str] = {
    "transaction_id": "TRANSACTION_ID",
    "event_time": "TX_DATETIME",
    "card_id": "CUSTOMER_ID",
    "terminal_id": "TERMINAL_ID",
    "amount": "TX_AMOUNT",
    "is_fraud": "TX_FRAUD",
    "pattern": "TX_FRAUD_SCENARIO",
}


def parse_map(specs: Iterable[str]) -> dict[Field, str]:
    """Lay ``FIELD=COLUMN`` pairs over the handbook's names; ``FIELD=`` says that the file has no such column.

    Raises ReplayError for a field that does not exist.
    """
    mapping = dict(HANDBOOK)
    for spec in specs:
        name, equals, column = spec.partition("=")
        field = next((known for known in FIELDS if known == name), None)
        if field is None or not equals:
            raise ReplayError(f"--map {spec}: write FIELD=COLUMN, where FIELD is one of {', '.join(FIELDS)}")
        if column:
            mapping[field] = column
        else:
            mapping.pop(field, None)
    return mapping


def resolve(mapping: dict[Field, str], columns: Sequence[str], file: str) -> dict[Field, str]:
    """Return the part of ``mapping`` that the file has.

    Raises ReplayError where a required or an explicitly mapped column is missing.
    ``is_fraud`` may be left out only by ``--map is_fraud=``: no labels then, on purpose and not by a slip.
    """
    present: dict[Field, str] = {}
    for field in FIELDS:
        column = mapping.get(field)
        if column is None:
            if field in REQUIRED and field != "is_fraud":
                raise ReplayError(f"{field} has no column; name one with --map {field}=COLUMN")
            continue
        if column in columns:
            present[field] = column
        elif field in REQUIRED or HANDBOOK.get(field) != column:
            way_out = " (or --map is_fraud= to replay without labels)" if field == "is_fraud" else ""
            header = ", ".join(columns)
            raise ReplayError(
                f"{file} has no column {column} for {field}; name it with --map {field}=COLUMN{way_out}. It has: {header}"
            )
    return present
