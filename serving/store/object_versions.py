"""Model versions and the serving document in an object store, which has no rename and no lock.

::

    versions/v1/claim                  made first, by a conditional put: the number is this writer's
    versions/v1/model.onnx ...
    versions/v1/manifest.json          last: from now on the version is there
    serving/000000007.json             one object a generation, made by a conditional put: the newest is served

A writer that dies in between leaves a number that is never used. A generation that somebody made first is a stale one.
"""

from __future__ import annotations

import re
from pathlib import Path

from features.base.storage import Store, local_copy
from serving.store import manifest as manifests

_CLAIM = "claim"


class ObjectVersions:
    """``store``: where they are, by the setting ``storage.models``; ``cache``: the folder of what was fetched, for good."""

    def __init__(self, store: Store, root: str, cache: Path) -> None:
        self._store, self._root, self._cache = store, root, cache

    @property
    def url(self) -> str:
        return self._store.url

    def claimed(self) -> list[str]:
        """Return the names that are taken, also those without a version."""
        return [name for name in self._store.names("versions") if re.fullmatch(manifests.VERSION_PATTERN, name)]

    def names(self) -> list[str]:
        """Return the versions that are whole."""
        return [name for name in self.claimed() if self.is_whole(name)]

    def is_whole(self, version: str) -> bool:
        return (self._cache / "versions" / version / manifests.FILE_NAME).exists() or self._has_manifest(version)

    def _has_manifest(self, version: str) -> bool:
        return manifests.FILE_NAME in self._store.names(f"versions/{version}")

    def add(self, folder: Path, version: str) -> None:
        """Put a finished version folder there. Raises FileExistsError where the name is taken."""
        self._store.create(f"versions/{version}/{_CLAIM}", b"")
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != manifests.FILE_NAME)
        for file in [*files, folder / manifests.FILE_NAME]:
            self._store.write(f"versions/{version}/{file.relative_to(folder).as_posix()}", file.read_bytes())

    def fetch(self, version: str) -> Path:
        """Return the folder of a whole version on this host: fetched once, for it never changes.

        The manifest comes last here, too.
        """
        folder = f"versions/{version}"
        if (self._cache / folder / manifests.FILE_NAME).exists():
            return self._cache / folder
        names = [name for name in self._store.names(folder) if name not in (_CLAIM, manifests.FILE_NAME)]
        for name in [*names, manifests.FILE_NAME]:
            local_copy(self._root, "storage.models", f"{folder}/{name}", self._cache)
        return self._cache / folder

    def manifest(self, version: str) -> bytes:
        return self._store.read(f"versions/{version}/{manifests.FILE_NAME}")

    def generation(self) -> int:
        """Return the newest generation; 0 where there is none."""
        generations = [name.removesuffix(".json") for name in self._store.names("serving") if name.endswith(".json")]
        return max((int(name) for name in generations if name.isdecimal()), default=0)

    def document(self, generation: int) -> bytes:
        return self._store.read(f"serving/{generation:09d}.json")

    def write_document(self, generation: int, data: bytes) -> None:
        """Write the document of a generation. Raises FileExistsError where somebody made this generation first."""
        self._store.create(f"serving/{generation:09d}.json", data)
