"""A file is whole or not there, on the disk when it is there, and a lock keeps others out for as long as its holder lives."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from features.base import files
from features.base.files import Lock, Locked, locked


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that are synced, in their order, by the names that they have then."""
    seen: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        seen.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return seen


@pytest.mark.parametrize(
    ("write", "content"),
    [
        (lambda path: files.write(path, b"\x00\xff"), b"\x00\xff"),
        (lambda path: files.write_text(path, "größer\n"), "größer\n".encode()),
        (lambda path: files.write_json(path, {"a": [1]}), b'{\n  "a": [\n    1\n  ]\n}\n'),
    ],
)
def test_a_file_takes_the_place_of_another_and_is_on_the_disk_with_its_name(
    tmp_path: Path, synced: list[str], write: Callable[[Path], None], content: bytes
) -> None:
    path = tmp_path / "x.json"
    path.write_text("before")
    write(path)
    assert path.read_bytes() == content
    assert names(tmp_path) == ["x.json"]
    hidden, folder = synced
    assert Path(hidden).parent == Path(folder) == tmp_path
    assert Path(hidden).name.startswith(".x.json.")


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    files.write(path, b"before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write(path, b"after")
    assert (path.read_bytes(), names(tmp_path)) == (b"before", ["x"])


def test_what_cannot_be_encoded_leaves_what_was_there(tmp_path: Path) -> None:
    files.write_json(tmp_path / "x", 1)
    with pytest.raises(TypeError), files.replacing(tmp_path / "x") as draft:
        draft.file.write(msgspec.json.encode(object()))
    assert ((tmp_path / "x").read_bytes(), names(tmp_path)) == (b"1\n", ["x"])


def test_a_draft_is_hidden_until_it_is_finished_and_two_never_share_a_name(tmp_path: Path) -> None:
    first, second = files.Draft(tmp_path / "x"), files.Draft(tmp_path / "x")
    assert first.hidden != second.hidden
    assert all(name.startswith(".x.") and name.endswith(files.UNFINISHED) for name in names(tmp_path))
    first.file.write(b"first")
    first.finish()
    second.drop()
    assert names(tmp_path) == ["x"]


def test_permissions_are_there_from_the_first_moment(tmp_path: Path) -> None:
    draft = files.Draft(tmp_path / "x", 0o600)
    assert stat.S_IMODE(draft.hidden.stat().st_mode) == 0o600
    draft.finish()
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600


def test_a_new_file_never_replaces_one(tmp_path: Path, synced: list[str]) -> None:
    assert files.write_new(tmp_path / "x", b"first")
    assert len(synced) == 2
    assert not files.write_new(tmp_path / "x", b"second")
    assert ((tmp_path / "x").read_bytes(), names(tmp_path)) == (b"first", ["x"])


def test_a_folder_gets_its_name_when_all_that_is_in_it_is_on_the_disk(tmp_path: Path, synced: list[str]) -> None:
    (tmp_path / "draft" / "inner").mkdir(parents=True)
    (tmp_path / "draft" / "inner" / "x").write_text("x")
    files.move_folder(tmp_path / "draft", tmp_path / "there")
    assert (tmp_path / "there" / "inner" / "x").read_text() == "x"
    draft = tmp_path / "draft"
    assert {*synced[:-1]} == {str(draft / "inner" / "x"), str(draft / "inner"), str(draft)}
    assert synced[-1] == str(tmp_path)
    (tmp_path / "other").mkdir()
    with pytest.raises(OSError, match="not empty"):
        files.move_folder(tmp_path / "other", tmp_path / "there")


HOLD = """
import sys
from pathlib import Path
from features.base.files import locked
with locked(Path(sys.argv[1])):
    print(flush=True)
    input()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Callable[[Path], subprocess.Popen[bytes]]:
    """Starts a process that holds a lock until it is killed."""

    def held(path: Path) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        return process

    return held


@pytest.mark.parametrize("name", ["lock", "."])
def test_a_lock_on_a_file_or_a_folder_is_free_once_its_holder_is_killed(
    tmp_path: Path, holder: Callable[[Path], subprocess.Popen[bytes]], name: str
) -> None:
    path = tmp_path / name
    with holder(path) as process:
        with pytest.raises(Locked, match=r"is locked by another process after 0\.2 s; wait for it or end it") as caught:
            locked(path, timeout_s=0.2).__enter__()
        assert str(path) in str(caught.value)
        process.kill()
        with locked(path, timeout_s=20.0):
            assert (names(tmp_path) == []) == (name == ".")


def test_without_a_limit_a_lock_is_waited_for(tmp_path: Path) -> None:
    taken: list[float] = []

    def take() -> None:
        with locked(tmp_path / "lock"):
            taken.append(time.monotonic())

    with locked(tmp_path / "lock"):
        waiting = threading.Thread(target=take)
        waiting.start()
        time.sleep(0.3)
        released = time.monotonic()
        assert not taken
    waiting.join(20.0)
    assert taken[0] >= released


def test_a_shared_lock_is_for_many_and_keeps_out_one_that_is_not(tmp_path: Path) -> None:
    first, second, alone = (Lock(tmp_path / "lock", shared=shared) for shared in (True, True, False))
    first.take(0.0)
    second.take(0.0)
    with pytest.raises(Locked):
        alone.take(0.0)
    first.close()
    second.close()
    alone.take(0.0)
    alone.close()


def test_a_lock_in_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    for shared in (True, False):
        with pytest.raises(FileNotFoundError):
            Lock(tmp_path / "nowhere" / "lock", shared=shared)


def test_only_this_module_renames_over_files_and_locks_them() -> None:
    root = Path(files.__file__).parents[2]
    packages = ("features", "streams", "retrain", "serving", "infra", "dashboards")
    paths = {
        str(path.relative_to(root))
        for path in (path for package in packages for path in (root / package).rglob("*.py"))
        if any(word in path.read_text() for word in ("import fcntl", "fsync(", "os.replace(", ".rename("))
    }
    # Compaction moves a folder that was replaced out of the way.
    assert paths == {"features/base/files.py", "features/archive/compaction.py"}
