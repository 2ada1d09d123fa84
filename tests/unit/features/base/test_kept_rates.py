"""The rates of a platform: taken from a file at ``up``, added later, never changed; and the reference that a folder keeps."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from features.base import identity, kept_rates
from features.base.identity import Identity
from features.base.rates import RatesError
from features.base.settings import FILE_NAME, Settings, SettingsError, load
from infra.cli import main

HEAD = "unit,valid_from,rate\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / FILE_NAME).write_text('[units]\nrates = "rates.csv"\n')
    (tmp_path / "rates.csv").write_text(HEAD + "HUF,2026-01-01,0.0026\n")
    return load(tmp_path)


def test_a_new_platforms_rates_count_from_the_beginning(settings: Settings) -> None:
    assert [rate.unit for rate in kept_rates.take(settings, new_platform=True)] == ["HUF"]
    assert [rate.known_ms for rate in kept_rates.read(settings)] == [0]
    assert kept_rates.take(settings, new_platform=False) == []


def test_later_ones_count_from_later_on(settings: Settings, tmp_path: Path) -> None:
    kept_rates.take(settings, new_platform=True)
    before = time.time_ns() // 1_000_000
    (tmp_path / "more.csv").write_text(HEAD + "HUF,2026-01-01,0.00260\nJPY,2026-01-01,0.006\n")
    [new] = kept_rates.add(settings, tmp_path / "more.csv")
    assert new.known_ms >= before + kept_rates.LEAD_MS
    assert [(rate.unit, rate.by) for rate in kept_rates.read(settings)] == [("HUF", "file"), ("JPY", "add")]
    # What was added by hand need not be in the file.
    assert kept_rates.take(settings, new_platform=False) == []


def test_a_row_that_changed_or_is_gone_is_refused_and_nothing_changes(settings: Settings) -> None:
    kept_rates.take(settings, new_platform=True)
    before = kept_rates.content(settings)
    file = settings.dir / "rates.csv"
    file.write_text(HEAD + "HUF,2026-01-01,0.0027\nJPY,2026-01-01,0.006\n")
    with pytest.raises(RatesError, match=r"the row HUF,2026-01-01,0.0027 was HUF,2026-01-01,0.0026"):
        kept_rates.take(settings, new_platform=False)
    file.write_text(HEAD + "JPY,2026-01-01,0.006\n")
    with pytest.raises(RatesError, match=r"the row HUF,2026-01-01,0.0026 is gone"):
        kept_rates.take(settings, new_platform=False)
    assert kept_rates.content(settings) == before


def test_a_file_that_is_not_there_is_told(settings: Settings) -> None:
    (settings.dir / "rates.csv").unlink()
    with pytest.raises(RatesError, match=r"rates.csv cannot be read .* name a CSV file in UTF-8"):
        kept_rates.take(settings, new_platform=True)


def test_a_folder_keeps_its_reference(tmp_path: Path) -> None:
    identity.keep(tmp_path, Identity("card_fraud", "", "USD"))
    with pytest.raises(SettingsError, match=r"was made with units.reference = 'USD', .* is 'EUR' now: take it back, or choose"):
        load(tmp_path)
    (tmp_path / FILE_NAME).write_text('[units]\nreference = "USD"\n')
    assert load(tmp_path).units.reference == "USD"


def test_a_folder_of_before_there_were_rates_gets_its_reference_at_the_next_up(tmp_path: Path) -> None:
    (tmp_path / identity.NAME).write_text('{"domain":"card_fraud"}')
    (tmp_path / FILE_NAME).write_text('[units]\nreference = "USD"\n')
    load(tmp_path)
    identity.keep(tmp_path, Identity("card_fraud", "", "USD"))
    assert identity.read(tmp_path) == Identity("card_fraud", "", "USD")


def test_a_reference_that_is_no_unit_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('[units]\nreference = "EURO"\n')
    with pytest.raises(SettingsError, match=r"units.reference: .* knows no such unit; .* as in EUR"):
        load(tmp_path)


def test_the_command_adds_lists_and_refuses(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DRIFTLOOP_DIR", str(tmp_path))
    assert main.run(["rates", "add", str(tmp_path / "rates.csv")]) == 2
    assert "there is no platform in" in capsys.readouterr().err
    identity.keep(tmp_path, Identity("card_fraud", "", "EUR"))
    assert main.run(["rates", "add", str(tmp_path / "rates.csv")]) == 0
    assert "1 rates are new; they count for what the broker takes from" in capsys.readouterr().out
    assert main.run(["rates", "add", str(tmp_path / "rates.csv")]) == 0
    assert capsys.readouterr().out == "there is nothing new in it\n"
    (tmp_path / "rates.csv").write_text(HEAD + "HUF,2026-01-01,7\n")
    assert main.run(["rates", "add", str(tmp_path / "rates.csv")]) == 2
    error = capsys.readouterr().err
    assert "the row HUF,2026-01-01,7 was HUF,2026-01-01,0.0026" in error
    assert error.count("\n") == 1
    assert main.run(["rates", "list"]) == 0
    assert "0.0026" in capsys.readouterr().out
