"""Rows that lie in an object store, as folders of this host."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import tests.object_store  # noqa: F401 - registers strict://
from features.archive import mirror, stores
from features.archive.locks import reading
from features.base.settings import FILE_NAME, Settings, load
from features.base.storage import ObjectStore

DAY = "archive/scores/day=2026-01-05"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / FILE_NAME).write_text(f'[storage]\nrows = "strict:/{tmp_path}/rows"\n')
    return load(tmp_path)


@pytest.fixture
def store(settings: Settings) -> ObjectStore:
    store = stores.rows(settings)
    assert isinstance(store, ObjectStore)
    return store


def held(settings: Settings) -> dict[str, bytes]:
    """What readers see: no hidden file."""
    root = mirror.rows(settings)
    paths = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    return {str(path): (root / path).read_bytes() for path in paths if not any(part.startswith(".") for part in path.parts)}


def test_a_folder_is_read_where_it_is(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert mirror.rows(settings) == mirror.folder(settings) == settings.rows
    assert mirror.archive(settings) == settings.archive
    assert not settings.rows_cache.exists()
    with pytest.raises(TypeError, match="which nobody has to fetch"):
        mirror.fetch(settings)


def test_nothing_is_there_before_the_first_row(settings: Settings) -> None:
    assert held(settings) == {}


def test_new_and_changed_objects_are_fetched_and_no_other(
    settings: Settings, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    read = ObjectStore.read

    def counted(self: ObjectStore, name: str) -> bytes:
        fetched.append(name)
        return read(self, name)

    monkeypatch.setattr(ObjectStore, "read", counted)
    store.write(f"{DAY}/a.parquet", b"a")
    store.write("feast/offline/customer_profile/daily-00000.parquet", b"first")
    with store.lock("archive/.write.lock"):
        fetched.clear()
        first = {f"{DAY}/a.parquet": b"a", "feast/offline/customer_profile/daily-00000.parquet": b"first"}
        assert held(settings) == first
    assert sorted(fetched) == sorted(first)
    fetched.clear()
    assert held(settings) == first
    assert fetched == []
    store.write(f"{DAY}/b.parquet", b"b")
    # Of the same length: the time tells.
    store.write("feast/offline/customer_profile/daily-00000.parquet", b"again")
    assert held(settings) == first | {
        f"{DAY}/b.parquet": b"b",
        "feast/offline/customer_profile/daily-00000.parquet": b"again",
    }
    assert sorted(fetched) == [f"{DAY}/b.parquet", "feast/offline/customer_profile/daily-00000.parquet"]


def test_what_is_gone_goes_unless_somebody_reads(settings: Settings, store: ObjectStore) -> None:
    for name in ("a", "b"):
        store.write(f"{DAY}/{name}.parquet", name.encode())
    with reading(mirror.archive(settings)):
        store.remove(f"{DAY}/a.parquet")
        assert set(held(settings)) == {f"{DAY}/a.parquet", f"{DAY}/b.parquet"}
    assert set(held(settings)) == {f"{DAY}/b.parquet"}


def test_what_goes_while_it_is_fetched_is_no_error(
    settings: Settings, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(f"{DAY}/a.parquet", b"a")
    monkeypatch.setattr(ObjectStore, "stamps", lambda _: {f"{DAY}/a.parquet": "1", f"{DAY}/gone.parquet": "2"})
    assert set(held(settings)) == {f"{DAY}/a.parquet"}


def test_a_copy_that_lost_its_list_is_fetched_anew(settings: Settings, store: ObjectStore) -> None:
    store.write(f"{DAY}/a.parquet", b"a")
    held(settings)
    (settings.rows_cache / DAY / "a.parquet").write_bytes(b"something else")
    (settings.rows_cache / mirror.KNOWN).write_bytes(b"{")
    assert held(settings) == {f"{DAY}/a.parquet": b"a"}


def test_several_that_fetch_at_once_end_with_the_same(settings: Settings, store: ObjectStore) -> None:
    for i in range(30):
        store.write(f"{DAY}/{i}.parquet", bytes([i]))
    threads = [threading.Thread(target=mirror.fetch, args=(settings,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held(settings) == {f"{DAY}/{i}.parquet": bytes([i]) for i in range(30)}
