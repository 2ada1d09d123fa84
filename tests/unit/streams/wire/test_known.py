"""What is asked of the registry, and what is known without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.base.settings import SettingsError
from features.base.storage import FolderStore
from streams.wire.errors import RegistryAway, UnknownSchema
from streams.wire.known import GIVEN_UP_S, Known
from streams.wire.registry import Registered
from tests.unit.streams.wire.source import Schemas, Waits


class Clock:
    """Its waits let it go on."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> None:
        self.now_s += seconds


def known(folder: Path, source: Schemas | None, clock: Clock | None = None) -> Known:
    clock = clock or Clock()
    return Known(source, FolderStore(folder), clock.wait, clock)


def test_an_id_is_asked_for_once_and_not_again_after_a_restart(tmp_path: Path) -> None:
    source = Schemas()
    schema = source.put("AVRO", "x")
    first = known(tmp_path, source)
    assert first.get(schema, again=False) == first.get(schema, again=False) == source.of[schema]
    source.away = 10**9
    assert known(tmp_path, source).get(schema, again=True).schema == "x"
    assert known(tmp_path, None).get(schema, again=False).schema == "x"
    assert source.asked == [schema]


def test_a_registry_that_is_away_is_waited_for_and_named(tmp_path: Path) -> None:
    source, waits = Schemas(), Waits()
    source.put("AVRO", "x")
    source.away = 50
    reasons: list[str] = []

    def wait(seconds: float) -> None:
        waits(seconds)
        reasons.append(schemas.waits_for)

    schemas = Known(source, FolderStore(tmp_path), wait)
    assert schemas.get(1, again=False).schema == "x"
    assert len(waits.seconds) == 50
    assert max(waits.seconds) == 5.0
    assert set(reasons) == {"the schema registry does not answer"}
    assert not schemas.waits_for


def test_a_log_that_is_read_again_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    naps = Waits()
    monkeypatch.setattr("streams.wire.known.time.sleep", naps)
    source = Schemas()
    source.away = 10**9
    with pytest.raises(RegistryAway):
        known(tmp_path, source).get(1, again=True)
    assert 30 <= sum(naps.seconds) < 45


def test_an_unknown_id_is_asked_for_again_for_some_seconds(tmp_path: Path) -> None:
    source, clock = Schemas(), Clock()
    schemas = known(tmp_path, source, clock)
    with pytest.raises(UnknownSchema):
        schemas.get(7, again=False)
    assert source.asked == [7] * 5
    assert 3 < clock.now_s < 4
    # One that appears meanwhile is taken.
    late = Schemas()

    def appear(_: float) -> None:
        late.put("AVRO", "x")

    arrives = Known(late, FolderStore(tmp_path), appear)
    assert arrives.get(1, again=False).schema == "x"


def test_what_was_given_up_is_asked_for_again_only_after_a_while(tmp_path: Path) -> None:
    source, clock = Schemas(), Clock()
    schemas = known(tmp_path, source, clock)
    for _ in range(3):
        with pytest.raises(UnknownSchema):
            schemas.get(1, again=False)
    assert len(source.asked) == 5
    source.put("AVRO", "x")
    clock.now_s += GIVEN_UP_S
    assert schemas.get(1, again=False).schema == "x"


def test_noise_keeps_neither_the_stream_nor_the_registry_busy(tmp_path: Path) -> None:
    source, clock = Schemas(), Clock()
    schemas = known(tmp_path, source, clock)
    for schema in range(1000):
        with pytest.raises(UnknownSchema):
            schemas.get(schema, again=False)
    assert clock.now_s < 4
    assert len(source.asked) < 110
    with pytest.raises(UnknownSchema, match="was not asked for"):
        schemas.get(5000, again=False)
    clock.now_s += 61
    source.of[5000] = Registered("AVRO", "x")
    assert schemas.get(5000, again=False).schema == "x"


def test_without_a_registry_the_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownSchema, match=r"schema_registry\.url is empty"):
        known(tmp_path, None).get(1, again=False)


def test_another_registry_where_ids_mean_something_else_is_refused(tmp_path: Path) -> None:
    source, moved = Schemas(), Schemas()
    source.put("AVRO", "x")
    moved.put("AVRO", "x")
    moved.url = "http://elsewhere"
    known(tmp_path, source).get(1, again=False)
    assert known(tmp_path, moved).get(1, again=False).schema == "x"
    other = Schemas()
    other.put("AVRO", "y")
    with pytest.raises(SettingsError, match=r"schema_registry\.url: .* schema 1 is another one"):
        known(tmp_path, other).get(1, again=False)


def test_a_kept_schema_that_is_cut_off_is_asked_for_again(tmp_path: Path) -> None:
    source = Schemas()
    source.put("AVRO", "x")
    known(tmp_path, source).get(1, again=False)
    (tmp_path / "ids" / "1.json").write_bytes(b'{"url": "')
    assert known(tmp_path, source).get(1, again=False).schema == "x"
    assert source.asked == [1, 1]
