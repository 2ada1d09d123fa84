"""The Feast repository in a folder, without Redis: registry, configuration, empty sources."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from features.archive import layout
from features.base.settings import Settings, load
from features.catalogue.vector import SERVICE
from features.feast_repo.store import StoreMissing, apply, open_store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load(tmp_path / "p")
    settings.ports.redis = 16_379
    return settings


def test_open_before_apply_says_what_to_do(settings: Settings) -> None:
    with pytest.raises(StoreMissing, match="driftloop up"):
        open_store(settings)


def test_apply_twice_gives_the_same_objects(settings: Settings) -> None:
    for _ in range(2):
        store = apply(settings)
        assert {view.name for view in store.list_feature_views()} == {"card_activity", "terminal_risk", "customer_profile"}
        assert {entity.name for entity in store.list_entities()} >= {"card", "terminal"}
        assert {service.name for service in store.list_feature_services()} == {SERVICE, f"{SERVICE}_by_card"}
    assert all(view.description and view.owner and view.tags for view in store.list_feature_views())


def test_apply_writes_the_platforms_addresses(settings: Settings) -> None:
    apply(settings)
    settings.ports.redis = 16_380
    apply(settings)
    config = yaml.safe_load((settings.feature_repo / "feature_store.yaml").read_text())
    assert config["online_store"] == {"type": "redis", "connection_string": "127.0.0.1:16380"}
    assert config["offline_store"] == {"type": "duckdb"}
    assert config["entity_key_serialization_version"] == 3


def test_sources_are_empty_tables_of_the_right_columns(settings: Settings) -> None:
    apply(settings)
    table = pq.read_table(layout.counterpart_risk_folder(settings) / "_schema" / "empty.parquet")
    assert table.schema.equals(layout.COUNTERPART_RISK)
    assert table.num_rows == 0


def test_importing_feast_leaves_prometheus_as_it_was(settings: Settings) -> None:
    apply(settings)
    assert not [name for name in os.environ if name.startswith("PROMETHEUS_MULTIPROC")]
