"""The archive and Feast's offline rows as folders of this host, wherever they lie (``storage.rows``).

DuckDB, Spark and pyarrow read folders. Rows that lie in an object store are fetched into a folder of this host first, each object
once: those that were put anew are fetched again, those that are gone are removed. Nothing is written there but by ``fetch``.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from features.archive import stores
from features.archive.locks import compacting
from features.base.files import locked, write
from features.base.settings import Settings
from features.base.storage import FolderStore, ObjectStore, is_local

#: Objects by name, with their stamps (``ObjectStore.stamps``), as they were when they were fetched.
KNOWN = ".fetched.json"
_LOCK = ".fetch.lock"
_AT_ONCE = 8


def rows(settings: Settings) -> Path:
    """Return the folder of all offline rows, up to date.

    Raises OSError, or what the file system raises, where it does not answer.
    """
    if is_local(settings.rows_root):
        return settings.rows
    fetch(settings)
    return settings.rows_cache


def archive(settings: Settings) -> Path:
    """Return the folder of the archive, up to date. Raises as ``rows``."""
    return rows(settings) / "archive"


def folder(settings: Settings) -> Path:
    """Return the folder of all offline rows as it is: for what has it in its own settings, and is read after ``rows``."""
    return settings.rows if is_local(settings.rows_root) else settings.rows_cache


def fetch(settings: Settings) -> None:
    """Bring this host's copy up to date. Of processes that do so at once each waits for the other."""
    store, here = stores.rows(settings), FolderStore(settings.rows_cache)
    if not isinstance(store, ObjectStore):
        raise TypeError(f"{store.url} is a folder, which nobody has to fetch")
    here.root.mkdir(parents=True, exist_ok=True)
    with locked(here.root / _LOCK):
        known = _known(here)
        stamps = {name: stamp for name, stamp in store.stamps().items() if not any(p.startswith(".") for p in name.split("/"))}
        wanted = [name for name, stamp in stamps.items() if known.get(name) != stamp]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for name, fetched in zip(wanted, pool.map(lambda name: _copy(store, here, name), wanted), strict=True):
                if fetched:
                    known[name] = stamps[name]
        _remove(here, known, set(known) - set(stamps))
        write(here.root / KNOWN, msgspec.json.encode(known))


def _known(here: FolderStore) -> dict[str, str]:
    try:
        return msgspec.json.decode(here.read(KNOWN), type=dict[str, str])
    except (FileNotFoundError, msgspec.MsgspecError):
        # Fetched anew: an object costs what it costs, a wrong row would cost more.
        return {}


def _copy(store: ObjectStore, here: FolderStore, name: str) -> bool:
    try:
        here.write(name, store.read(name))
    except FileNotFoundError:
        # Gone since it was listed.
        return False
    return True


def _remove(here: FolderStore, known: dict[str, str], gone: set[str]) -> None:
    """Remove them unless somebody reads: then they stay until the next time, as they did for whoever listed them before."""
    if not gone:
        return
    with compacting(here.root / "archive") as alone:
        if alone:
            for name in gone:
                here.remove(name)
                del known[name]
