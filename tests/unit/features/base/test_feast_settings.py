"""The table [feast]: what feature_store.yaml and the objects become, on a laptop and on a cluster, by Feast's own reader."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from features.base.settings import FILE_NAME, Settings, SettingsError, load
from features.feast_repo.store import apply, config, import_feast, open_store, write_config

if TYPE_CHECKING:
    from feast import FeatureStore
    from feast.repo_config import RepoConfig

CLUSTER = """
bootstrap_servers = "kafka:9092"
[feast]
offline = "spark"
root = "s3://lake/fraud/"
s3_endpoint = "http://minio:9000"
s3_region = "eu-west-3"
registry = "sql"
registry_path = "postgresql+psycopg://feast:${FEAST_DB_PASSWORD}@db/feast"
redis = "redis.internal:6380,ssl=true,password=${REDIS_PASSWORD}"
[feast.spark]
"spark.master" = "k8s://https://kubernetes"
"""


def _settings(folder: Path, text: str = "") -> Settings:
    (folder / FILE_NAME).write_text(text)
    return load(folder)


def _read(settings: Settings) -> RepoConfig:
    """What Feast makes of the file that we write."""
    import_feast()
    from feast.repo_config import load_repo_config

    write_config(settings)
    return load_repo_config(settings.feature_repo, settings.feature_repo / "feature_store.yaml")


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("FEAST_DB_PASSWORD", "geheim")
    monkeypatch.setenv("REDIS_PASSWORD", "s3cret")
    return _settings(tmp_path, CLUSTER)


def test_a_laptop_keeps_everything_in_its_folder(tmp_path: Path) -> None:
    settings = _settings(tmp_path, "[ports]\nredis = 16379\n")
    read = _read(settings)
    assert (read.project, read.provider, read.entity_key_serialization_version) == ("driftloop", "local", 3)
    assert (read.registry.registry_type, read.registry.path) == ("file", str(tmp_path / "feast" / "registry.db"))
    assert read.registry.serve_features_while_materializing
    assert read.offline_store.type == "duckdb"
    assert (read.online_store.type, read.online_store.connection_string) == ("redis", "127.0.0.1:16379")


@pytest.mark.filterwarnings("ignore:The spark offline store:RuntimeWarning")
def test_a_cluster_is_chosen_in_one_file(cluster: Settings) -> None:
    read = _read(cluster)
    assert read.registry.registry_type == "sql"
    assert read.registry.path == "postgresql+psycopg://feast:geheim@db/feast"
    assert read.online_store.connection_string == "redis.internal:6380,ssl=true,password=s3cret"
    assert read.offline_store.type == "spark"
    assert read.offline_store.staging_location == "s3://lake/fraud/feast/staging"
    assert read.offline_store.region == "eu-west-3"
    assert read.offline_store.spark_conf == {
        "spark.hadoop.fs.s3a.endpoint": "http://minio:9000",
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.master": "k8s://https://kubernetes",
    }


def test_secrets_stay_out_of_the_file_and_of_what_is_shown(cluster: Settings) -> None:
    write_config(cluster)
    text = (cluster.feature_repo / "feature_store.yaml").read_text()
    assert "${REDIS_PASSWORD}" in text
    assert not any(secret in text for secret in ("s3cret", "geheim"))
    assert cluster.redis_address == "redis.internal:6380"


def _sources(settings: Settings) -> dict[str, Any]:
    import_feast()
    from feast import FeatureView

    from features.feast_repo import definitions

    return {view.name: view.batch_source for view in definitions.build(settings) if isinstance(view, FeatureView)}


def test_spark_reads_s3_by_its_own_names(cluster: Settings) -> None:
    paths = {name: source.path for name, source in _sources(cluster).items()}
    assert paths == {
        "card_activity": "s3a://lake/fraud/archive/scores/*/*.parquet",
        "terminal_risk": "s3a://lake/fraud/feast/offline/terminal_risk/{*.parquet,*/*.parquet}",
        "customer_profile": "s3a://lake/fraud/feast/offline/customer_profile/{*.parquet,*/*.parquet}",
    }


def test_duckdb_reads_s3(tmp_path: Path) -> None:
    settings = _settings(tmp_path, '[feast]\nroot = "s3://lake"\ns3_endpoint = "http://minio:9000"\n')
    source = _sources(settings)["terminal_risk"]
    assert source.path == "s3://lake/feast/offline/terminal_risk/**/*.parquet"
    assert source.s3_endpoint_override == "http://minio:9000"
    assert settings.archive == tmp_path / "archive"


def test_streams_say_where_they_come_from(cluster: Settings) -> None:
    import_feast()
    from feast import FeatureView

    from features.feast_repo import definitions

    views = {view.name: view for view in definitions.build(cluster) if isinstance(view, FeatureView)}
    for name, topic in (("card_activity", "scores"), ("terminal_risk", "outcomes")):
        kafka = views[name].stream_source.kafka_options
        assert (kafka.topic, kafka.kafka_bootstrap_servers) == (topic, "kafka:9092")
        key = "subject string" if topic == "outcomes" else "card_id string"
        assert key in kafka.message_format.schema_json.replace(":", "")
    assert views["customer_profile"].stream_source is None


def test_a_shared_folder_holds_what_writers_write_and_feast_reads(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    (tmp_path / "p").mkdir()
    settings = _settings(tmp_path / "p", f'[feast]\nroot = "{shared}"\n')
    store = apply(settings)
    assert settings.archive == shared / "archive"
    assert (shared / "feast" / "offline" / "terminal_risk" / "_schema" / "empty.parquet").exists()
    assert store.get_feature_view("card_activity").batch_source.path == str(shared / "archive" / "scores" / "*" / "*.parquet")
    assert settings.feature_repo == tmp_path / "p" / "feast"


def test_a_registry_in_a_database_is_shared(tmp_path: Path) -> None:
    """SQLite for real: what one folder applies, another one's store sees."""
    database = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    stores: list[FeatureStore] = []
    for name in ("writer", "reader"):
        (tmp_path / name).mkdir()
        settings = _settings(tmp_path / name, f'[feast]\nregistry = "sql"\nregistry_path = "{database}"\n')
        assert config(settings)["registry"] == {
            "registry_type": "sql",
            "path": database,
            "cache_ttl_seconds": 60,
            "serve_features_while_materializing": True,
        }
        if name == "writer":
            apply(settings)
            stores.append(apply(settings))
        else:
            write_config(settings)
            stores.append(open_store(settings))
    for store in stores:
        assert {view.name for view in store.list_feature_views()} == {"card_activity", "terminal_risk", "customer_profile"}
        assert {entity.name for entity in store.list_entities()} >= {"card", "terminal", "customer"}
    assert not (tmp_path / "writer" / "feast" / "registry.db").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('offline = "dask"', "feast.offline"),
        ('registry = "sql"', "feast.registry_path is empty"),
        ('root = "gs://bucket"', "must be a folder, or s3:// and a bucket"),
        ('root = "s3://"', "must be a folder, or s3:// and a bucket"),
        ('registry = "sql"\nregistry_path = "garbage"', "feast.registry_path names no database"),
        ("profile_max_lead_hours = inf", "feast.profile_max_lead_hours"),
        ('redis = "redis.internal"', "feast.redis"),
        ("cache_s = -1", "feast.cache_s"),
        ('ofline = "spark"', "feast.ofline"),
    ],
)
def test_wrong_settings_name_the_field(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        _settings(tmp_path, f"[feast]\n{text}\n")
