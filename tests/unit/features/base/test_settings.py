"""Times that no client could keep are refused where they are set."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.base.settings import FILE_NAME, SettingsError, load


@pytest.mark.parametrize(("name", "most"), [("profile_timeout_s", 60), ("model_timeout_s", 300)])
def test_a_time_out_has_an_end(tmp_path: Path, name: str, most: int) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(f"[scoring]\n{name} = {most}\n")
    assert getattr(load(tmp_path).scoring, name) == most
    for value in ("1e12", f"{most}.1", "0", "inf", "nan"):
        path.write_text(f"[scoring]\n{name} = {value}\n")
        with pytest.raises(SettingsError, match=rf"scoring\.{name}: Input should be"):
            load(tmp_path)
