"""Where what is compiled is kept: in the cache, and where nobody can write there, in a folder that only its owner opens."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

import pytest

from features.base.cache_root import cache_root, compiled_root


@pytest.fixture(autouse=True)
def homeless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DRIFTLOOP_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    # Nobody can make a folder there, not even root.
    monkeypatch.setenv("HOME", "/proc/none")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_the_cache_is_where_it_was_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_root() == Path("/proc/none/.cache/driftloop")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_root() == tmp_path / "x" / "driftloop"
    monkeypatch.setenv("DRIFTLOOP_CACHE", str(tmp_path / "c"))
    assert cache_root() == tmp_path / "c"
    assert compiled_root() == tmp_path / "c" / "compiled"


def test_a_home_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    place = compiled_root()
    assert place.parent.parent == tmp_path
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    assert compiled_root() == place


def test_a_folder_that_others_can_write_is_not_loaded_from(tmp_path: Path) -> None:
    own = compiled_root().parent
    own.chmod(0o777)
    assert compiled_root() not in (own, own / "compiled")
    own.rmdir()
    (tmp_path / "theirs").mkdir(mode=0o700)
    own.symlink_to(tmp_path / "theirs")
    assert not compiled_root().is_relative_to(own)
