"""What lies in a package, so that whatever is new comes under its contract by being there."""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Iterator
from types import ModuleType


def modules(package: str) -> Iterator[ModuleType]:
    """The modules of a package and of those in it, imported; tests left out."""
    root = importlib.import_module(package)
    for entry in pkgutil.walk_packages(root.__path__, f"{package}."):
        if entry.name.rsplit(".", 1)[1].startswith("test_"):
            continue
        with warnings.catch_warnings():
            # Evidently's own use of numpy warns where it is imported.
            warnings.simplefilter("ignore")
            module = importlib.import_module(entry.name)
        yield module
