"""Where a platform is, and where none can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.base import identity
from features.base.identity import Identity
from features.base.settings import load
from infra.errors import PlatformError
from infra.platform import up_down
from infra.platform.folder import holds_platform, needs_platform, refusal


def test_a_platform_is_what_has_settings_or_was_up(tmp_path: Path) -> None:
    assert not holds_platform(tmp_path)
    identity.keep(tmp_path / "up", Identity("card_fraud"))
    (tmp_path / "written").mkdir()
    (tmp_path / "written" / "driftloop.toml").touch()
    for name in ("up", "written"):
        needs_platform(tmp_path / name, ())


def test_a_mistyped_folder_is_named_with_the_one_that_may_be_meant(tmp_path: Path) -> None:
    (tmp_path / "payments").mkdir()
    (tmp_path / "payments" / "driftloop.toml").touch()
    with pytest.raises(PlatformError) as raised:
        needs_platform(tmp_path / "paymnets", ())
    assert str(raised.value) == (
        f"there is no platform in {tmp_path / 'paymnets'}: there is no such folder (did you mean {tmp_path / 'payments'}?);"
        " choose its folder with --dir or DRIFTLOOP_DIR, or make it with driftloop up"
    )
    assert raised.value.exit_code == 2
    with pytest.raises(PlatformError, match=r"it holds no driftloop\.toml;"):
        needs_platform(tmp_path, ())
    (tmp_path / "file").touch()
    with pytest.raises(PlatformError, match="it is no folder"):
        needs_platform(tmp_path / "file", ())


@pytest.mark.parametrize("variable", ["DRIFTLOOP_BOOTSTRAP_SERVERS", "DRIFTLOOP_PORTS__KAFKA", "driftloop_ports"])
def test_a_process_may_have_its_settings_from_the_environment_alone(variable: str, tmp_path: Path) -> None:
    needs_platform(tmp_path / "none", (variable,))


@pytest.mark.parametrize("name", ["100%", "a,b", "a ;b", "a\nb", "a\udcffb"])
def test_a_path_that_a_component_cannot_take_is_refused_before_anything_is_made(name: str, tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="choose another one with --dir"):
        up_down.up(load(tmp_path / name))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["with space", "Größe", "平台", "it's", "a;b", "$HOME", "(x) [y] #&"])
def test_other_paths_are_taken(name: str, tmp_path: Path) -> None:
    assert refusal(tmp_path / name) == ""
