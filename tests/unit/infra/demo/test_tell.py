"""Which folders a demo begins with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from features.base.settings import FILE_NAME
from infra.demo.story import Story
from infra.demo.tell import MARK, fresh
from infra.errors import PlatformError
from streams.publish.batch import Batch


def story() -> Story:
    nothing: Iterator[Batch] = iter(())
    return Story("none", nothing, 0, (), {"drift": {"min_labels_first": 10, "share_threshold": 0.5}})


def test_a_fresh_folder_gets_the_storys_settings(tmp_path: Path) -> None:
    settings = fresh(tmp_path / "new", story())
    assert (settings.drift.min_labels_first, settings.drift.share_threshold) == (10, 0.5)


def test_a_demos_own_folder_is_emptied(tmp_path: Path) -> None:
    fresh(tmp_path / "demo", story())
    old = tmp_path / "demo" / "old"
    old.write_text("x")
    fresh(tmp_path / "demo", story())
    assert not old.exists()
    assert (tmp_path / "demo" / MARK).exists()


def test_a_users_platform_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("[drift]\nmin_rows = 7\n")
    (tmp_path / "precious.txt").write_text("x")
    with pytest.raises(PlatformError, match="was not made by a demo"):
        fresh(tmp_path, story())
    assert (tmp_path / "precious.txt").exists()
