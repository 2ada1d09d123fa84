"""Snapshots: what is written is what is read, and what is torn or changed is not used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import tests.object_store  # noqa: F401 - registers strict://
from features.base.files import Draft
from features.base.settings import SettingsError
from streams.engine.snapshot_store import KEPT, DamagedSnapshot, Snapshot, Store, decode, encode


def snapshot(offset: int, version: str = "v") -> Snapshot:
    arrays: dict[str, NDArray[Any]] = {
        "a": np.arange(offset, dtype=np.int64),
        "b": np.full((3, 2), offset, dtype=np.float32),
        "none": np.zeros(0),
    }
    return Snapshot(offset, version, arrays)


def same(snapshot: Snapshot | None, other: Snapshot) -> bool:
    return (
        snapshot is not None
        and (snapshot.offset, snapshot.version, list(snapshot.arrays)) == (other.offset, other.version, list(other.arrays))
        and all(snapshot.arrays[n].dtype == a.dtype and np.array_equal(snapshot.arrays[n], a) for n, a in other.arrays.items())
    )


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "p" / "t-0").iterdir())


def test_a_snapshot_comes_back_as_it_was() -> None:
    assert same(decode(b"".join(encode(snapshot(5)))), snapshot(5))


@given(st.data())
def test_any_cut_and_any_changed_byte_is_noticed(data: st.DataObject) -> None:
    whole = b"".join(encode(snapshot(7)))
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(DamagedSnapshot):
        decode(whole[:cut])
    place, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    changed = bytearray(whole)
    changed[place] ^= 1 << bit
    with pytest.raises(DamagedSnapshot):
        decode(bytes(changed))


@pytest.mark.parametrize("scheme", ["", "memory:/", "strict:/"])
def test_the_newest_two_are_kept_and_the_newest_is_found(tmp_path: Path, scheme: str) -> None:
    store = Store(f"{scheme}{tmp_path}", "p")
    assert store.newest("t", 0, "v", 100) is None
    for offset in (5, 900, 1000):
        store.write("t", 0, snapshot(offset))
    assert store.offsets("t", 0) == [1000, 900]
    assert len(store.offsets("t", 0)) == KEPT
    assert same(store.newest("t", 0, "v", 1000), snapshot(1000))
    assert same(store.newest("t", 0, "v", 999), snapshot(900)), "not one that is ahead of what is committed"
    assert store.newest("t", 0, "another", 1000) is None
    assert store.newest("t", 1, "v", 1000) is None


@pytest.mark.parametrize("how", ["torn", "changed", "empty"])
def test_a_damaged_one_is_passed_over_for_the_older_one(tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(str(tmp_path), "p")
    for offset in (10, 20):
        store.write("t", 0, snapshot(offset))
    newest = max((tmp_path / "p" / "t-0").iterdir())
    content = newest.read_bytes()
    newest.write_bytes({"torn": content[:100], "changed": content[:-60] + b"x" + content[-59:], "empty": b""}[how])
    assert same(store.newest("t", 0, "v", 20), snapshot(10))
    assert "damaged" in caplog.text


def test_what_a_killed_writer_left_is_removed_and_never_read(tmp_path: Path) -> None:
    store = Store(str(tmp_path), "p")
    store.write("t", 0, snapshot(10))
    left = Draft(tmp_path / "p" / "t-0" / "000000000000020.snapshot")
    left.file.write(b"half")
    left.file.close()
    assert store.offsets("t", 0) == [10]
    store.write("t", 0, snapshot(30))
    assert files(tmp_path) == ["000000000000010.snapshot", "000000000000030.snapshot"]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(str(tmp_path), "p")
    store.write("t", 0, snapshot(10))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.write("t", 0, snapshot(20))
    assert files(tmp_path) == ["000000000000010.snapshot"]


@pytest.mark.parametrize("scheme", ["", "memory:/", "strict:/"])
def test_a_log_that_is_no_more_leaves_no_snapshots(tmp_path: Path, scheme: str) -> None:
    root = f"{scheme}{tmp_path}"
    mine, other = Store(root, "p"), Store(root, "q")
    mine.clear()
    for store in (mine, other):
        store.write("t", 0, snapshot(5))
    mine.clear()
    assert mine.newest("t", 0, "v", 100) is None
    assert same(other.newest("t", 0, "v", 100), snapshot(5))


def test_snapshots_of_another_log_are_removed(tmp_path: Path) -> None:
    """Else the newest two would be theirs for ever, and every new one removed."""
    store = Store(str(tmp_path), "p")
    for offset in (5_000, 6_000):
        store.write("t", 0, snapshot(offset))
    assert store.newest("t", 0, "v", 50) is None
    store.write("t", 0, snapshot(100))
    assert same(store.newest("t", 0, "v", 100), snapshot(100))


def test_a_path_that_no_file_system_knows_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"snapshots.path cannot be used: Protocol not known: nosuch") as caught:
        Store("nosuch://user:secret@x/y", "p")
    assert "secret" not in str(caught.value)
