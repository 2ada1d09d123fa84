"""Names in tables are checked against what there is, where the table stands."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest

from features.base.names import UnknownName, check, check_ddl, check_view

KNOWN = ("speed_kmh", "count_10m")


def test_known_names_pass_and_an_unknown_one_is_named_with_its_place_and_what_is_meant() -> None:
    check("module.TABLE", ["count_10m", "speed_kmh"], KNOWN, "column")
    with pytest.raises(UnknownName, match=r"^module\.TABLE names 'speed_kph', which is no column; did you mean speed_kmh\?$"):
        check("module.TABLE", ["count_10m", "speed_kph"], KNOWN, "column")
    with pytest.raises(UnknownName, match=r"there are: speed_kmh, count_10m$"):
        check("module.TABLE", ["zzz"], KNOWN, "column")


class Inner(msgspec.Struct):
    """A part of Whole."""

    place: str


class Whole(msgspec.Struct):
    """An event."""

    inner: Inner
    score: float | None = None


class InnerView(msgspec.Struct):
    """Reads what is not there."""

    places: str = ""


class View(msgspec.Struct):
    """Decodes every Whole, and learns nothing of it."""

    inner: InnerView


def test_a_view_is_checked_down_to_its_inner_structs() -> None:
    check_view(Whole, Whole)
    with pytest.raises(UnknownName, match=r"InnerView names 'places', which is no field of Inner; did you mean place\?"):
        check_view(View, Whole)


def test_the_columns_of_a_spark_schema_are_checked() -> None:
    check_ddl("module.ROWS", "speed_kmh double, count_10m array<long>", KNOWN, "column")
    with pytest.raises(UnknownName, match="count_5m"):
        check_ddl("module.ROWS", "speed_kmh double, count_5m long", KNOWN, "column")


@pytest.mark.parametrize(
    ("module", "right", "wrong", "where"),
    [
        ("streams.drift.data.looks", "    score: float", "    scores: float", "ScoreSeen"),
        ("streams.drift.performance.mature_outcomes", "    threshold: float", "    limit: float", "OutcomeSeen"),
        ("streams.labels.outcomes", "    unusual: bool", "    uncommon: bool", "JoinedScore"),
        ("streams.replay.mapping", '    "latitude",', '    "lat",', "Field"),
        ("streams.writers.archive", "*Score.__struct_fields__, ", "", "layout.SCORES"),
        ("features.jobs.training_set", '"known"),\n)', '"is_known"),\n)', "COLUMNS"),
        ("infra.repartition.merged", "    label_time_ms: int", "    labelled_at_ms: int", "_Label"),
        ("infra.repartition.copying", "    subject: str", "    card: str", "_OfProducers"),
        ("infra.demo.collect", "    model_version: str", "    version: str", "_Score"),
    ],
)
def test_a_module_with_a_wrong_name_in_a_table_does_not_load(module: str, right: str, wrong: str, where: str) -> None:
    file = import_module(module).__file__
    assert file is not None
    text = Path(file).read_text()
    assert right in text
    loaded: dict[str, Any] = {"__name__": module, "__file__": file}
    exec(compile(text, file, "exec"), loaded)
    with pytest.raises(UnknownName) as raised:
        exec(compile(text.replace(right, wrong, 1), file, "exec"), {"__name__": module, "__file__": file})
    assert where in str(raised.value)
