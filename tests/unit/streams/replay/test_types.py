"""Every type that Parquet, CSV and pandas give a column, for every kind of field: the value that was meant, or a refusal."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from streams.replay.errors import ReplayError
from streams.replay.mapping import Field
from tests.unit.streams.replay.files import AT_MS, made_of


class Refused(str):
    """The refusal, or a part of it."""


NO = Refused("column ")
SEVERAL = Refused("a field takes one text")
MISSING = Refused("row 1: the value is missing")
WHOLE_FIELDS: dict[Field, Any] = {
    "card_id": "7",
    "merchant_category": "7",
    "amount": 700,
    "latitude": 7.0,
    "is_fraud": NO,
    "entry_mode": NO,
}
YES: dict[Field, Any] = {"is_fraud": 1, "pin_used": 1}
MOMENT = datetime(2018, 4, 1, 8, 7, 11)
#: By name: one value as a column of some type, and what each field makes of it.
TABLE: dict[str, tuple[pa.Array, dict[Field, Any]]] = {
    **{
        str(kind): (pa.array([7], kind), WHOLE_FIELDS)
        for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())
    },
    **{
        f"{kind} whole": (pa.array([np.float64(7).astype(kind.to_pandas_dtype())], kind), WHOLE_FIELDS)
        for kind in (pa.float16(), pa.float32(), pa.float64())
    },
    **{
        str(kind): (pa.array([Decimal("7.00")], kind), WHOLE_FIELDS)
        for kind in (pa.decimal128(10, 2), pa.decimal256(40, 2), pa.decimal32(9, 2), pa.decimal64(18, 2))
    },
    **{
        str(kind): (
            pa.array(["007"], kind),
            {"card_id": "007", "merchant_category": "007", "amount": 700, "latitude": 7.0, "entry_mode": NO},
        )
        for kind in (pa.string(), pa.large_string(), pa.string_view())
    },
    **{
        str(kind): (pa.array([b"007"], kind), {"card_id": "007", "amount": 700})
        for kind in (pa.binary(), pa.large_binary(), pa.binary(3), pa.binary_view())
    },
    "bytes": (
        pa.array([b"\xff\xfe"]),
        {"card_id": Refused("row 1: these bytes are no text"), "amount": Refused("no text in UTF-8")},
    ),
    "dictionary": (pa.array(["chip"]).dictionary_encode(), {"entry_mode": 0, "card_id": "chip", "amount": Refused("no number")}),
    "dictionary of integers": (pa.array([7]).dictionary_encode(), WHOLE_FIELDS),
    "run-length": (pa.RunEndEncodedArray.from_arrays([1], pa.array(["x7"])), {"card_id": "x7"}),
    "uuid": (
        pa.array([uuid.UUID(int=7).bytes], pa.binary(16)).cast(pa.uuid()),
        {"transaction_id": "00000000-0000-0000-0000-000000000007"},
    ),
    "bool8": (pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1], pa.int8())), YES),
    "bool": (pa.array([True]), {**YES, "card_id": Refused("an id is text or a whole number"), "amount": NO, "event_time": NO}),
    "null": (
        pa.nulls(1),
        {
            "card_id": MISSING,
            "amount": MISSING,
            "event_time": MISSING,
            "is_fraud": MISSING,
            "country": None,
            "pin_used": -1,
            "entry_mode": -1,
            "currency": MISSING,
        },
    ),
    "list": (pa.array([["x"]]), dict.fromkeys(("card_id", "amount", "event_time", "is_fraud", "latitude"), SEVERAL)),
    "struct": (pa.array([{"a": 1}]), dict.fromkeys(("card_id", "amount", "event_time"), SEVERAL)),
    "map": (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())), {"card_id": SEVERAL}),
    "duration": (pa.array([timedelta(1)]), {"event_time": SEVERAL, "amount": SEVERAL}),
    **{
        str(kind): (
            pa.array([MOMENT]).cast(kind),
            {"event_time": AT_MS, "card_id": NO, "amount": NO, "is_fraud": NO, "country": NO},
        )
        for kind in (pa.timestamp(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC", "Europe/Brussels"))
    },
    **{
        str(kind): (pa.array([date(2018, 4, 1)], kind), {"event_time": Refused("no time of day"), "card_id": NO, "amount": NO})
        for kind in (pa.date32(), pa.date64())
    },
    **{
        str(kind): (pa.array([time(8, 7)], kind), {"event_time": Refused("ISO text"), "card_id": NO})
        for kind in (pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"))
    },
    "epoch ms": (pa.array([AT_MS]), {"event_time": AT_MS}),
    "epoch ms as a float": (pa.array([float(AT_MS)]), {"event_time": AT_MS}),
    "epoch ms as a decimal": (pa.array([Decimal(AT_MS)]), {"event_time": AT_MS}),
    "epoch ms as text": (pa.array([f" {AT_MS}"]), {"event_time": AT_MS}),
    "epoch s": (pa.array([AT_MS // 1000]), {"event_time": Refused("looks like s, which --time-unit s says")}),
    "epoch us": (pa.array([AT_MS * 1000]), {"event_time": Refused("--time-unit us")}),
    "epoch ns": (pa.array([AT_MS * 10**6]), {"event_time": Refused("--time-unit ns")}),
    "a third of a ms": (pa.array([AT_MS + 1 / 3]), {"event_time": Refused("no whole number")}),
    "pandas Int64": (pa.array(pd.array([7], "Int64")), WHOLE_FIELDS),
    "pandas Int64 NA": (pa.array(pd.array([None], "Int64")), {"card_id": MISSING, "amount": MISSING, "merchant_category": None}),
    "pandas Float64": (pa.array(pd.array([7.0], "Float64")), WHOLE_FIELDS),
    "pandas boolean": (pa.array(pd.array([True], "boolean")), YES),
    "pandas boolean NA": (pa.array(pd.array([None], "boolean")), {"is_fraud": MISSING, "pin_used": -1}),
    "pandas period": (
        pa.array(pd.period_range("2018-04", periods=1, freq="M")),
        {"event_time": Refused("write times as timestamps"), "card_id": NO},
    ),
    "pandas string": (pa.array(pd.array(["x7"], "string")), {"card_id": "x7"}),
    "pandas category": (pa.array(pd.Categorical(["x7"])), {"card_id": "x7"}),
    "pandas category of numbers": (pa.array(pd.Categorical([7])), WHOLE_FIELDS),
    "pandas object of integers": (pa.array(pd.Series([7], dtype=object)), WHOLE_FIELDS),
    "pandas datetime with zone": (pa.array(pd.Series([pd.Timestamp(MOMENT, tz="UTC")])), {"event_time": AT_MS}),
    "pandas NaT": (pa.array(pd.Series([pd.NaT], dtype="datetime64[ns]")), {"event_time": MISSING}),
    "NaN": (
        pa.array([float("nan")]),
        {
            "card_id": MISSING,
            "amount": MISSING,
            "event_time": MISSING,
            "is_fraud": MISSING,
            "merchant_category": None,
            "pin_used": -1,
        },
    ),
    "infinite": (
        pa.array([float("inf")]),
        {"card_id": NO, "amount": Refused("not finite"), "latitude": Refused("not finite"), "event_time": NO},
    ),
}


@pytest.mark.parametrize(("name", "field"), [(name, field) for name, (_, fields) in TABLE.items() for field in fields])
def test_type_by_field(name: str, field: Field) -> None:
    array, fields = TABLE[name]
    wanted = fields[field]
    if isinstance(wanted, Refused):
        with pytest.raises(ReplayError) as caught:
            made_of(field, array)
        assert wanted in str(caught.value)
        assert f"column {field}" in str(caught.value)
        assert "\n" not in str(caught.value)
    else:
        assert made_of(field, array) == [wanted]


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2018-04-01 08:07:11", AT_MS),
        ("2018-04-01T08:07:11", AT_MS),
        ("2018-04-01T08:07:11Z", AT_MS),
        ("2018-04-01 08:07:11+00:00", AT_MS),
        ("2018-04-01T10:07:11+02:00", AT_MS),
        ("2018-04-01T10:07:11+0200", AT_MS),
        ("2018-04-01 10:07:11 +02", AT_MS),
        ("2018-04-01 08:07:11.500", AT_MS + 500),
        ("2018-04-01 08:07:11,5", AT_MS + 500),
        ("2018-04-01 08:07:11.123456789", AT_MS + 123),
        ("2018-04-01 08:07", AT_MS - 11_000),
    ],
)
def test_times_as_text(text: str, ms: int) -> None:
    assert made_of("event_time", pa.array([text, text])) == [ms, ms]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2018-04-01", "no time of day"),
        ("01/04/2018 08:07", "is no time"),
        ("2018-02-30 08:07:11", "no such day or hour"),
        ("1969-12-31 08:07:11", "not from 2000 to 2100"),
        ("", "the value is missing"),
        ("yesterday", "is no time"),
    ],
)
def test_times_as_text_that_are_none(text: str, why: str) -> None:
    with pytest.raises(ReplayError, match=rf"column event_time, row 2: .*{why}"):
        made_of("event_time", pa.array(["2018-04-01 08:07:11", text]))


def test_naive_and_zoned_texts_in_one_column() -> None:
    assert made_of("event_time", pa.array(["2018-04-01 08:07:11", "2018-04-01T10:07:11+02:00"])) == [AT_MS, AT_MS]


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (pa.array([13926.0]), "13926"),
        (pa.array([2.0**53 - 1]), "9007199254740991"),
        (pa.array([-5.0]), "-5"),
        (pa.array([16_777_215.0], pa.float32()), "16777215"),
        (pa.array([2**64 - 1], pa.uint64()), "18446744073709551615"),
        (pa.array([Decimal(10) ** 30], pa.decimal128(38, -3)), "1" + "0" * 30),
        (pa.array(["13926.0"]), "13926"),
        (pa.array(["007"]), "007"),
        (pa.array(["1.5"]), "1.5"),
        (pa.array(["12e4"]), "12e4"),
        (pa.array(["Ω-1"]), "Ω-1"),
    ],
)
def test_ids_as_they_were_meant(array: pa.Array, text: str) -> None:
    assert made_of("card_id", array) == [text]


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (pa.array([4e18]), "two of them can have become one"),
        (pa.array([2.0**53]), "beyond 2\\^53"),
        (pa.array([2.0**24], pa.float32()), "32 bits beyond 2\\^24"),
        (pa.array([np.float16(2048)], pa.float16()), "16 bits beyond 2\\^11"),
        (pa.array([1.5]), "no whole number"),
        (pa.array([Decimal("1.50")]), "no whole number"),
        (pa.array(["4e+18"]), "digits are lost"),
        (pa.array(["4.12345E+18"]), "digits are lost"),
        (pa.array(["4123456789012345678.0"]), "not exact"),
        (pa.array(["nan"]), "how a missing value is written"),
        (pa.array(["None"]), "how a missing value is written"),
        (pa.array([""]), "is empty"),
        (pa.array(["x" * 65]), "65 characters, and it may have 64 at most"),
    ],
)
@pytest.mark.parametrize("field", ["transaction_id", "card_id", "terminal_id"])
def test_ids_that_can_no_longer_be_told(field: Field, array: pa.Array, why: str) -> None:
    with pytest.raises(ReplayError, match=rf"column {field}, row 1: .*{why}"):
        made_of(field, array)


def test_a_float_id_with_a_missing_value_names_the_row() -> None:
    with pytest.raises(ReplayError, match=r"column card_id, row 3: the value is missing"):
        made_of("card_id", pa.array([13926.0, 2755.0, None]))
    assert made_of("merchant_category", pa.array([5411.0, None])) == ["5411", None]


@pytest.mark.parametrize("word", ["1", "1.0", "true", "True", "TRUE", "t", "yes", "Yes", "Y", " y "])
@pytest.mark.parametrize("field", ["is_fraud", "pin_used"])
def test_yes_as_text(field: Field, word: str) -> None:
    assert made_of(field, pa.array([word])) == [1]


@pytest.mark.parametrize("word", ["0", "0.0", "false", "F", "no", "N"])
def test_no_as_text(word: str) -> None:
    assert made_of("is_fraud", pa.array([word])) == [0]


@pytest.mark.parametrize("array", [pa.array([2]), pa.array([-1]), pa.array([0.5]), pa.array(["maybe"]), pa.array(["2"])])
def test_neither_yes_nor_no(array: pa.Array) -> None:
    with pytest.raises(ReplayError, match=r"column is_fraud, row 1: .*yes or no"):
        made_of("is_fraud", array)


def test_other_limits_of_the_schema() -> None:
    cases: list[tuple[Field, Any, str]] = [
        ("merchant_category", "x" * 65, "may have 64 at most"),
        ("country", "x" * 65, "may have 64 at most"),
        ("currency", "eur", "three capital letters"),
        ("currency", "EURO", "three capital letters"),
        ("latitude", 90.5, "beyond 90 degrees"),
        ("longitude", -180.5, "beyond 180 degrees"),
        ("entry_mode", "wave", "one of chip, contactless"),
        ("event_time", datetime(1999, 12, 31, tzinfo=UTC), "from 2000 to 2100"),
        ("event_time", datetime(2100, 1, 1, tzinfo=UTC), "from 2000 to 2100"),
    ]
    for field, value, why in cases:
        with pytest.raises(ReplayError, match=rf"column {field}, row 1: .*{why}"):
            made_of(field, pa.array([value]))
