"""The Feast store of one platform: its folder, its registry, its objects."""

from __future__ import annotations

import importlib
import logging
import os
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, Any
from unittest import mock

import yaml

from features.archive import layout
from features.base.files import write_text
from features.base.settings import Settings
from features.online.feast_encoding import PROJECT

if TYPE_CHECKING:
    from feast import FeatureStore

CONFIG_NAME = "feature_store.yaml"
REPO_NAME = "driftloop_repo.py"


class StoreMissing(RuntimeError):
    """The platform's folder holds no feature store yet."""


def import_feast() -> ModuleType:
    """Import feast and undo what that does to everybody else.

    feast sets PROMETHEUS_MULTIPROCESS_DIR on import. A prometheus_client imported afterwards, here or in a child process, would
    keep its values in files and drop the process metrics; so it is imported first, and the variables are taken away again.

    feast also has typeguard rewrite its functions while it is imported, to check their arguments later: three quarters of
    the CPU time of the import (docs/decisions.md, "Feast is imported without typeguard's rewriting"). Our calls are checked by
    mypy and by tests, so that is left out.
    """
    importlib.import_module("prometheus_client")
    before = {name: os.environ.get(name) for name in ("PROMETHEUS_MULTIPROCESS_DIR", "PROMETHEUS_MULTIPROC_DIR")}
    with mock.patch("typeguard.typechecked", _unchecked):
        feast = importlib.import_module("feast")
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
    return feast


def _unchecked(target: Any = None, **_: object) -> Any:
    """Stand in for ``typeguard.typechecked``, with and without arguments."""
    return (lambda function: function) if target is None else target


def config(settings: Settings) -> dict[str, object]:
    """Give the content of feature_store.yaml. What settings hold as ``${NAME}`` stays: Feast reads the environment itself."""
    return {
        "project": PROJECT,
        "provider": "local",
        "registry": {
            **_registry(settings),
            "cache_ttl_seconds": 60,
            "serve_features_while_materializing": True,
        },
        "online_store": {"type": "redis", "connection_string": settings.redis_connection},
        "offline_store": _offline(settings),
        "entity_key_serialization_version": 3,
        "auth": {"type": "no_auth"},
    }


def _registry(settings: Settings) -> dict[str, object]:
    if settings.feast.registry == "sql":
        return {"registry_type": "sql", "path": settings.feast.registry_path}
    return {"registry_type": "file", "path": str(settings.feature_repo / "registry.db")}


def _offline(settings: Settings) -> dict[str, object]:
    feast = settings.feast
    if feast.offline == "duckdb":
        return {"type": "duckdb"}
    # Without UTC, Spark would read the times of its SQL in the machine's own zone.
    spark = {"spark.sql.session.timeZone": "UTC", **feast.spark}
    if not feast.remote:
        return {"type": "spark", "spark_conf": spark}
    if feast.s3_endpoint:
        spark = {"spark.hadoop.fs.s3a.endpoint": feast.s3_endpoint, "spark.hadoop.fs.s3a.path.style.access": "true", **spark}
    staging = f"{feast.root.rstrip('/')}/feast/staging"
    return {"type": "spark", "spark_conf": spark, "staging_location": staging, "region": feast.s3_region or None}


#: For the commands of Feast, which take every object that they find in the Python files of a folder.
_REPO = '''\
"""The feature repository of the platform in the folder above, for Feast's own commands: feast plan, feast apply, feast ui.

`driftloop up` writes this file anew. What it holds is defined in the package features.feast_repo.
"""

from pathlib import Path

from features.feast_repo.definitions import build
from features.base.files import write_text
from features.base.settings import load

for _object in build(load(Path(__file__).resolve().parent.parent)):
    globals()[f"{type(_object).__name__}_{_object.name}"] = _object
'''


def write_config(settings: Settings) -> None:
    """Write feature_store.yaml with this platform's addresses, which each ``up`` may change, and the objects as Python."""
    settings.feature_repo.mkdir(parents=True, exist_ok=True)
    write_text(settings.feature_repo / CONFIG_NAME, yaml.safe_dump(config(settings), sort_keys=False))
    write_text(settings.feature_repo / REPO_NAME, _REPO)


def open_store(settings: Settings) -> FeatureStore:
    """Open Feast's own view of the store. Costs seconds at first, for the import.

    Raises StoreMissing where ``apply`` has not run in this folder.
    """
    if not (settings.feature_repo / CONFIG_NAME).exists():
        raise StoreMissing(f"{settings.feature_repo} holds no feature store; run `driftloop up` first")
    feast = import_feast()
    # Feast warns at each start that serving while materializing matters little on a file registry; that is known.
    logging.getLogger("feast.repo_config").setLevel(logging.ERROR)
    store: FeatureStore = feast.FeatureStore(repo_path=str(settings.feature_repo))
    return store


def apply(settings: Settings) -> FeatureStore:
    """Bring the folder and the registry to what the definitions say. May be run again at any time."""
    layout.create(settings)
    write_config(settings)
    store = open_store(settings)
    from features.feast_repo import definitions

    with warnings.catch_warnings():
        # Said of every on-demand view; ours is read online, and its offline values have a test.
        warnings.filterwarnings("ignore", "On demand feature view is an experimental feature", RuntimeWarning)
        store.apply(definitions.build(settings))
    return store
