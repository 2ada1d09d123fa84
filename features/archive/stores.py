"""Where the archive and Feast's offline rows are written: a folder, or any URL that fsspec knows (``storage.rows``).

Whoever reads them has them as a folder of its host (``features.archive.mirror``). What compacts needs the folder itself,
``settings.archive``, which refuses a URL by the setting's name.
"""

from __future__ import annotations

from features.base.settings import Settings
from features.base.storage import Store, open_store

_SETTING = "storage.rows"


def rows(settings: Settings) -> Store:
    """Open the root of all rows. Raises SettingsError where fsspec does not know its URL."""
    return open_store(settings.rows_root, _SETTING)


def archive(settings: Settings) -> Store:
    """Open the archive's. Raises as ``rows``."""
    return open_store(f"{settings.rows_root}/archive", _SETTING)
