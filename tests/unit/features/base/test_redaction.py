from __future__ import annotations

from pathlib import Path

from features.base.redaction import hashed, without_values
from features.base.settings import load


def test_a_hash_is_the_same_for_one_platform_and_another_for_the_next(tmp_path: Path) -> None:
    here, elsewhere = load(tmp_path / "a"), load(tmp_path / "b")
    assert hashed(here, "c1") == hashed(load(tmp_path / "a"), "c1")
    assert hashed(here, "c1") != hashed(here, "c2")
    assert hashed(here, "c1") != hashed(elsewhere, "c1")
    assert "card-1" not in hashed(here, "card-1")
    key = tmp_path / "a" / "secrets" / "log-key"
    assert (key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_without_a_place_for_the_key_there_is_a_hash_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    nowhere = load(tmp_path / "file" / "platform")
    assert hashed(nowhere, "c1") == hashed(nowhere, "c1")


def test_only_the_value_goes_out_of_a_message() -> None:
    assert (
        without_values(ValueError("Invalid enum value 'c' - at `$`x' - at `$.entry_mode`"))
        == "Invalid enum value - at `$.entry_mode`"
    )
    assert without_values(ValueError("Invalid enum value 'c\n7'")) == "Invalid enum value"
    assert (
        without_values(ValueError("Expected `int`, got `str` - at `$.amount_minor`"))
        == "Expected `int`, got `str` - at `$.amount_minor`"
    )
