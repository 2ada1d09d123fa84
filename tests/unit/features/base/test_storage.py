"""One contract for every kind of store."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import fsspec
import pytest

import tests.object_store  # noqa: F401 - registers strict:// and weak://
from features.base import storage
from features.base.settings import SettingsError
from features.base.storage import FolderStore, LeaseLost, ObjectStore, Store, open_store


@pytest.fixture(params=["folder", "file", "memory", "strict"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return {"folder": f"{tmp_path}/new", "file": f"file://{tmp_path}/new"}.get(request.param, f"{request.param}:/{tmp_path}")


@pytest.fixture
def store(root: str) -> Store:
    return open_store(root, "storage.models")


def test_what_is_written_is_what_is_read(store: Store, root: str) -> None:
    with pytest.raises(FileNotFoundError):
        store.read("a/b")
    store.write("a/b", b"first")
    store.write("a/b", b"second")
    store.write("a/c/d", b"")
    assert open_store(root, "storage.models").read("a/b") == b"second"
    assert store.names("a") == ["b", "c"]
    assert store.names("") == ["a"]
    assert store.names("nowhere") == []
    store.remove("a/b")
    store.remove("a/b")
    assert store.names("a") == ["c"]


@pytest.fixture(params=["folder", "strict"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """One that several may use at once, which fsspec's memory is not made for."""
    return open_store(str(tmp_path) if request.param == "folder" else f"strict:/{tmp_path}", "storage.models")


def test_of_many_who_create_one_does(shared: Store) -> None:
    made = []

    def work(number: int) -> None:
        try:
            shared.create("claims/one", str(number).encode())
        except FileExistsError:
            return
        made.append(str(number).encode())

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [shared.read("claims/one")]
    assert shared.names("claims") == ["one"]


def test_a_lock_is_held_by_one(shared: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_POLL_S", 0.001)
    inside, most = 0, 0
    busy = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(10):
            with shared.lock("locks/.one"):
                with busy:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0.001)
                with busy:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_the_lease_of_a_killed_holder_ends_and_a_late_holder_hears_of_it() -> None:
    clock = [1000.0]
    files, path = fsspec.core.url_to_fs("strict://late")
    store = ObjectStore(files, path, "storage.models", lambda: clock[0])
    with pytest.raises(LeaseLost, match="the lease ended after 120 s"), store.lock("one"):
        clock[0] += storage.LEASE_S + 1
        # As if this one had been killed: the next does not wait.
        with store.lock("one"):
            pass
    with store.lock("one"):
        assert store.names("one.leases") == ["000000000003"]


def test_a_store_without_a_conditional_put_is_refused_by_the_setting() -> None:
    store = open_store("weak://bucket/x", "storage.models")
    store.write("a", b"1")
    assert store.read("a") == b"1"
    with pytest.raises(SettingsError, match=r"storage\.models: WeakFileSystem has no conditional put"):
        store.create("b", b"1")


def test_a_url_that_no_file_system_knows_is_refused_without_its_secret() -> None:
    with pytest.raises(SettingsError, match=r"storage\.runs cannot be used: Protocol not known: nosuch") as caught:
        open_store("nosuch://user:secret@x/y", "storage.runs")
    assert "secret" not in str(caught.value)


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path)
    store.write("a", b"1")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    for put in (store.write, store.create):
        with pytest.raises(OSError, match="No space"):
            put("a", b"2")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert store.read("a") == b"1"


def test_a_number_that_was_used_and_removed_meanwhile_is_no_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow process looks, others take and leave the lease, and one holds it when the slow one goes on."""
    slow, others = (ObjectStore(fsspec.filesystem("strict"), "/slow", "storage.rows") for _ in range(2))
    looked, held = slow.names, others.lock("one")
    waited: list[str] = []

    def names(folder: str) -> list[str]:
        entries = looked(folder)
        if not waited:
            waited.append("looked")
            with others.lock("one"):
                pass
            held.__enter__()
        return entries

    def sleep(_: float) -> None:
        waited.append("waited")
        held.__exit__(None, None, None)

    monkeypatch.setattr(slow, "names", names)
    monkeypatch.setattr(time, "sleep", sleep)
    with slow.lock("one"):
        assert waited == ["looked", "waited"]
        assert looked("one.leases") == ["000000000003"]
