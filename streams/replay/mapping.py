"""Which columns of a file hold which field, and how they are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from typing import Literal, get_args

from msgspec import ValidationError, convert, json, structs, to_builtins

from features.base import names
from features.base.events import Label
from features.domains.card_fraud.event import Payment
from streams.replay.errors import ReplayError
from streams.replay.map_file import load
from streams.replay.rules import Rule

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


@dataclass(frozen=True)
class Mapping:
    """Rules by field. ``asked``: fields whose columns must be there, because somebody named them. ``lacks``: why a field has no
    rule, by field; ``layout``: the map file that says so."""

    rules: dict[Field, Rule]
    asked: frozenset[Field] = frozenset()
    lacks: dict[str, str] = dataclass_field(default_factory=dict)
    layout: str = ""

    def described(self) -> dict[str, str]:
        """Return the rules as texts, by field, so that two mappings can be compared."""
        return {field: json.encode(rule).decode() for field, rule in self.rules.items()}


def parse_map(specs: Iterable[str], map_file: str = "") -> Mapping:
    """Lay ``FIELD=COLUMN`` pairs over a map file, or over the handbook's names; ``FIELD=`` says that there is no such column.

    Raises ReplayError for a field that does not exist, and for a map file that is none.
    """
    if map_file:
        loaded = load(map_file)
        for name in (*loaded.fields, *loaded.lacks):
            _field(name, f"--map-file {map_file}: {name}")
        rules = {_field(name, name): rule for name, rule in loaded.rules(map_file).items()}
        asked, lacks = set(rules), loaded.lacks
    else:
        rules, asked, lacks = {field: Rule(column=column) for field, column in HANDBOOK.items()}, set(), {}
    for spec in specs:
        name, equals, column = spec.partition("=")
        field = _field(name if equals else "", f"--map {spec}: write FIELD=COLUMN, where FIELD")
        if column:
            # How its values are read stays as the map file says.
            rules[field] = _renamed(rules.get(field), column)
            asked.add(field)
        else:
            rules.pop(field, None)
            asked.discard(field)
    return Mapping(rules, frozenset(asked), lacks, map_file)


def read_otherwise(mapping: Mapping, decimal: str, time_unit: str) -> Mapping:
    """Return the mapping with another decimal comma of numbers, or another unit of event time; empty: as it is.

    Raises ReplayError for one that is none.
    """
    rules = dict(mapping.rules)
    changes: list[tuple[Field, str, str, str]] = [
        ("amount", "decimal", decimal, "--decimal"),
        ("latitude", "decimal", decimal, "--decimal"),
        ("longitude", "decimal", decimal, "--decimal"),
        ("event_time", "unit", time_unit, "--time-unit"),
    ]
    for field, name, value, option in changes:
        if value and field in rules:
            try:
                rules[field] = convert({**to_builtins(rules[field]), name: value}, Rule)
            except ValidationError as error:
                raise ReplayError(f"{option} is {value!r}: {error}") from error
    return replace(mapping, rules=rules)


def field_of(name: str) -> Field:
    """Return the field of which a field of the events is made, by its name on the wire."""
    return next(field for field in FIELDS if _CONVERTED.get(field, field) == name)


def _field(name: str, where: str) -> Field:
    field = next((known for known in FIELDS if known == name), None)
    if field is None:
        raise ReplayError(f"{where} is one of {', '.join(FIELDS)}")
    return field


def _renamed(rule: Rule | None, column: str) -> Rule:
    if rule is None or not rule.column:
        return Rule(column=column)
    return structs.replace(rule, column=column)


def resolve(mapping: Mapping, columns: Sequence[str], file: str) -> dict[Field, Rule]:
    """Return the part of ``mapping`` that the file has.

    Raises ReplayError where a required or an explicitly mapped column is missing, or stands twice.
    ``is_fraud`` may be left out only by ``--map is_fraud=``: no labels then, on purpose and not by a slip.
    """
    lacking = [f"{field}: {why}" for field, why in mapping.lacks.items() if field not in mapping.rules]
    if lacking:
        raise ReplayError(
            f"files of the layout {mapping.layout} cannot be replayed: {'; '.join(lacking)}. Where yours has such columns, name "
            "them with --map FIELD=COLUMN"
        )
    present: dict[Field, Rule] = {}
    for field in FIELDS:
        rule = mapping.rules.get(field)
        if rule is None:
            if field in REQUIRED and field != "is_fraud":
                raise ReplayError(f"{field} has no column; name one with --map {field}=COLUMN")
            continue
        absent = [column for column in rule.needs if column not in columns]
        twice = [column for column in rule.needs if columns.count(column) > 1]
        if twice:
            raise ReplayError(f"{file} has the column {twice[0]} {columns.count(twice[0])} times; give each column its own name")
        if not absent:
            present[field] = rule
        elif field in REQUIRED or field in mapping.asked:
            way_out = " (or --map is_fraud= to replay without labels)" if field == "is_fraud" else ""
            raise ReplayError(
                f"{file} has no column {absent[0]} for {field}; name it with --map {field}=COLUMN{way_out}. It has: "
                f"{', '.join(columns)}"
            )
    return present
