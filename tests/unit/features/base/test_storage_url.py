"""What cannot be a store is refused when settings are read, before anything is started on it."""

from __future__ import annotations

from pathlib import Path

import pytest

import tests.object_store  # noqa: F401 - registers strict://
from features.base.settings import FILE_NAME, SettingsError, load


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("memory://rows", "memory:// is kept by each process for itself"),
        ("http://host/rows", "http:// takes no writes"),
        ("nope://rows", "nope:// cannot be used"),
        ("://", "nothing:// cannot be used"),
    ],
)
@pytest.mark.parametrize("setting", ["storage.rows", "storage.models", "storage.runs", "snapshots.path"])
def test_what_would_lose_what_is_written_is_refused(tmp_path: Path, setting: str, url: str, why: str) -> None:
    section, name = setting.split(".")
    (tmp_path / FILE_NAME).write_text(f'[{section}]\n{name} = "{url}"\n')
    with pytest.raises(SettingsError) as refused:
        load(tmp_path)
    assert f"{setting}: {why}" in str(refused.value)
    assert "name a folder, or a URL that fsspec knows" in str(refused.value)


@pytest.mark.parametrize("url", ["rows", "/mnt/rows", "file:///mnt/rows", "strict://bucket/rows"])
def test_folders_and_stores_are_taken(tmp_path: Path, url: str) -> None:
    (tmp_path / FILE_NAME).write_text(f'[storage]\nrows = "{url}"\n')
    assert load(tmp_path).storage.rows == url
