"""All settings, in one place: defaults here, then ``driftloop.toml`` in the platform's folder, then ``DRIFTLOOP_*``.

A nested field is written with two underscores in the environment: ``DRIFTLOOP_LABELS__DELAY_DAYS=7``.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PrivateAttr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as NoJson

from features.base import identity, storage_url
from features.base.broker_names import PREFIX, PREFIX_PATTERN, PREFIX_VARIABLE
from features.base.domain_name import DEFAULT_DOMAIN, DOMAIN_VARIABLE, serving
from features.base.feast_settings import Feast
from features.base.identity import Identity
from features.base.network import LOOPBACK, Network, Server
from features.base.schema_registry import SchemaRegistry
from features.base.sections import (
    Drift,
    Features,
    Labels,
    Policy,
    Ports,
    Scoring,
    Skew,
    Snapshots,
    Storage,
    Topics,
    Training,
    Units,
    Writers,
    domains_model,
)
from features.base.setting_errors import no_json, sentences

FILE_NAME = "driftloop.toml"

#: The Kafka user that creates topics, users and their rights; and the one of whoever only looks.
ADMIN = "admin"
ONLOOKER = "inspect"
#: Where Feast and our own clients find the password of a secure platform's Redis.
REDIS_PASSWORD = "DRIFTLOOP_REDIS_PASSWORD"


class SettingsError(ValueError):
    """A setting is missing or wrong; the message names the field and the way out."""


#: Copies of each partition at a cluster that is not the platform's own: one may be lost while another is being restarted.
_REPLICAS_ELSEWHERE = 3


class Settings(BaseSettings):
    """Where everything is and how it behaves. Paths are absolute once loaded."""

    model_config = SettingsConfigDict(env_prefix="DRIFTLOOP_", env_nested_delimiter="__", extra="forbid")

    dir: Path = Path(".driftloop")
    #: A folder of features/domains, or package.module:OBJECT. A process serves one domain, a platform too.
    domain: str = Field(default=DEFAULT_DOMAIN, min_length=1, max_length=200)
    #: Before the names of topics, consumer groups and transactional ids, so that several platforms share a broker.
    topic_prefix: str = Field(default="", pattern=PREFIX_PATTERN)
    #: The model's name at the model server. Where nothing is said: the domain's.
    model: str = Field(default_factory=domains_model, pattern="^[A-Za-z0-9_-]{1,64}$")
    partitions: int = Field(default=4, ge=1, le=1000)
    #: How subjects are spread over partitions: murmur2 as Java's clients do, crc32 as librdkafka's do by default. A record that
    #: comes elsewhere is moved (``streams.engine.homes``).
    partitioner: Literal["murmur2", "crc32"] = "murmur2"
    #: Empty means the platform's own broker at ports.kafka.
    bootstrap_servers: str = ""
    #: Handed to every Kafka client (librdkafka names). ``{user}`` is the client's user, ``file:PATH`` and ``env:NAME`` stand for
    #: what is there (``features.base.kafka_options``), so that no secret need be in a file of settings.
    kafka: dict[str, str] = {}
    #: Where the schemas of producers are that send Avro or Protobuf.
    schema_registry: SchemaRegistry = SchemaRegistry()
    #: The Kafka user of this process and of all its parts, in place of each part's own.
    kafka_user: str = Field(default="", pattern=r"^$|^[A-Za-z0-9_.-]{1,64}$")
    #: The platform's own Kafka and Redis ask for passwords, and Kafka's traffic is encrypted (``driftloop up --secure``).
    secure: bool = False
    ports: Ports = Ports()
    network: Network = Network()
    topics: Topics = Topics()
    storage: Storage = Storage()
    features: Features = Field(default_factory=Features)
    units: Units = Field(default_factory=Units)
    scoring: Scoring = Scoring()
    snapshots: Snapshots = Snapshots()
    writers: Writers = Writers()
    labels: Labels = Labels()
    drift: Drift = Drift()
    skew: Skew = Skew()
    policy: Policy = Policy()
    training: Training = Field(default_factory=Training)
    feast: Feast = Feast()

    _part: str = PrivateAttr(default=ONLOOKER)

    def as_user(self, part: str) -> Settings:
        """Copy these settings for one part of the loop.

        It speaks to Kafka as the user of its name unless ``kafka_user`` is set.
        """
        copy = self.model_copy()
        copy._part = part
        return copy

    @property
    def user(self) -> str:
        """Return the Kafka user for whom these settings are; nobody overrides the admin, who is known by a certificate."""
        return self._part if self._part == ADMIN else self.kafka_user or self._part

    @property
    def secure_broker(self) -> bool:
        """Tell whether the broker is our own and secure; one elsewhere is described by ``kafka``."""
        return self.secure and not self.bootstrap_servers

    @property
    def replication_factor(self) -> int:
        """Return the number of copies of each partition of a new topic."""
        return self.topics.replication_factor or (_REPLICAS_ELSEWHERE if self.bootstrap_servers else 1)

    @property
    def min_insync_replicas(self) -> int:
        """Return how many copies must have a record before it counts as written."""
        return self.topics.min_insync_replicas or max(1, self.replication_factor - 1)

    @property
    def bootstrap(self) -> str:
        """Return the Kafka bootstrap servers."""
        if self.bootstrap_servers:
            return self.bootstrap_servers
        if self.secure_broker and self.user == ADMIN:
            # The broker's own listener, for whoever holds the administrator's certificate on its host.
            return f"{LOOPBACK}:{self.ports.kafka_internal}"
        return f"{self.network.host('kafka')}:{self.ports.kafka}"

    @property
    def redis_address(self) -> str:
        """Return the address of Redis: host:port."""
        return self.redis_connection.partition(",")[0]

    @property
    def redis_connection(self) -> str:
        """Return Redis as Feast writes it: host:port, then options, secrets as ``${NAME}``."""
        password = f",password=${{{REDIS_PASSWORD}}}" if self.secure else ""
        return self.feast.redis or f"{self.network.host('redis')}:{self.ports.redis}{password}"

    @property
    def rest_url(self) -> str:
        scheme = "https" if self.network.tls.authority else "http"
        return f"{scheme}://{self.network.host('model_server')}:{self.ports.rest}"

    @property
    def grpc_address(self) -> str:
        return f"{self.network.host('model_server')}:{self.ports.grpc}"

    @property
    def control_url(self) -> str:
        """Return the URL of control's page."""
        return f"http://{self.network.host('control')}:{self.ports.control}/status"

    def metrics_url(self, process: str) -> str:
        """Return the URL of a process's metrics page; its port must be known."""
        return f"http://{self.network.host('metrics', process)}:{self.ports.metrics[process]}/metrics"

    @property
    def model_authority(self) -> Path | None:
        """Return the PEM file of whom clients of the model server trust; None where they speak plain text."""
        return self.dir / self.network.tls.authority if self.network.tls.authority else None

    @property
    def token_file(self) -> Path:
        """Return the file of the model server's bearer token, made at first ``up``, readable by the owner only."""
        return self.dir / "token"

    @property
    def secrets(self) -> Path:
        """Return the folder of passwords, keys and certificates, for the owner only."""
        return self.dir / "secrets"

    @property
    def places(self) -> dict[str, str]:
        """Return what is kept where, as the settings name it, by the setting's name."""
        own = {f"storage.{name}": place for name, place in self.storage}
        return own | {"snapshots.path": self.snapshots.path}

    @property
    def models_root(self) -> str:
        """Return the folder or URL of the model store."""
        return self._root(self.storage.models, "models")

    @property
    def model_store(self) -> Path:
        """Return the folder of the model store. Raises SettingsError where it is none."""
        return _folder(self.models_root, "storage.models")

    @property
    def model_cache(self) -> Path:
        """Return where versions from a model store elsewhere are kept on this host."""
        return self.dir / "cache" / "models"

    @property
    def snapshot_root(self) -> str:
        """Return the folder or URL of the scorer's snapshots."""
        return self.snapshots.path or str(self.dir / "snapshots")

    @property
    def schema_cache(self) -> str:
        """Return the folder or URL beside the snapshots where schemas are kept, so that logs can be read again without a
        registry."""
        return f"{self.snapshot_root.rstrip('/')}/schemas"

    @property
    def archive(self) -> Path:
        """Return the folder of Parquet by event day: ``archive/scores/day=YYYY-MM-DD/*.parquet`` and ``archive/outcomes/...``."""
        return self.rows / "archive"

    @property
    def rows_root(self) -> str:
        """Return the folder or URL that our writers fill with offline rows."""
        own = self.dir if self.feast.remote else self.dir / self.feast.root
        return self._root(self.storage.rows, str(own))

    @property
    def rows(self) -> Path:
        """Return the folder of ``rows_root``. Raises SettingsError where it is none."""
        return _folder(self.rows_root, "storage.rows")

    @property
    def rows_cache(self) -> Path:
        """Return where rows that lie elsewhere are fetched to on this host (``features.archive.mirror``)."""
        return self.dir / "cache" / "rows"

    @property
    def feature_repo(self) -> Path:
        """Return the Feast repository with this platform's addresses: feature_store.yaml, the objects as Python, registry."""
        return self.dir / "feast"

    @property
    def runs(self) -> Path:
        """Return the folder with one folder a training run, where it works; what lasts of it goes to ``runs_root``."""
        return self.dir / "runs" if "://" in self.storage.runs else self.dir / (self.storage.runs or "runs")

    @property
    def runs_root(self) -> str:
        """Return the folder or URL of what training runs leave."""
        return self._root(self.storage.runs, "runs")

    def _root(self, given: str, name: str) -> str:
        return given if "://" in given else str(self.dir / (given or name))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # The environment wins over what load() read from the file.
        return env_settings, init_settings


def load(folder: Path | str | None = None) -> Settings:
    """Read the settings of the platform in ``folder`` (default: DRIFTLOOP_DIR, else .driftloop).

    Raises SettingsError, naming the field, where the file or the environment holds something wrong.
    """
    root = Path(folder or os.environ.get("DRIFTLOOP_DIR") or ".driftloop").absolute()
    values: dict[str, Any] = {}
    path = root / FILE_NAME
    if path.exists():
        try:
            values = tomllib.loads(path.read_text("utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} is not valid TOML ({error}); mend it or remove it to start from the defaults") from error
    values.pop("dir", None)
    if refusal := _of_another_domain(values.get("domain")) or _of_another_prefix(values.get("topic_prefix")):
        raise SettingsError(f"{path}: {refusal}")
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise SettingsError(sentences(error, Settings, path)) from None
    except NoJson as error:
        raise SettingsError(no_json(error, path)) from error
    if settings.storage.rows and settings.feast.root:
        raise SettingsError(f"{path} or a DRIFTLOOP_ variable: storage.rows and feast.root both say where rows lie; keep one")
    for setting, place in settings.places.items():
        if why := storage_url.refusal(place):
            raise SettingsError(f"{path} or a DRIFTLOOP_ variable: {setting}: {why}")
    if why := identity.refusal(root, Identity(settings.domain, settings.topic_prefix, settings.units.reference)):
        raise SettingsError(why)
    if refusal := _unwritable(settings):
        raise SettingsError(f"{path} or a DRIFTLOOP_ variable: {refusal}")
    away: list[Server] = ["kafka"] if settings.bootstrap_servers else []
    away += ["redis"] if settings.feast.redis else []
    if refusal := settings.network.refusal(settings.secure, away):
        raise SettingsError(f"{path} or a DRIFTLOOP_ variable: {refusal} (docs/apart.md)")
    settings.dir = root
    return settings


def domain_in(folder: Path) -> str | None:
    """Return the domain that the platform in ``folder`` names; None where it names none, or its file cannot be read."""
    return _text_in(folder, "domain") or None


def prefix_in(folder: Path) -> str:
    """Return the prefix of its names at the broker, empty where it names none, or its file cannot be read."""
    return _text_in(folder, "topic_prefix")


def _text_in(folder: Path, name: str) -> str:
    try:
        value = tomllib.loads((folder / FILE_NAME).read_text("utf-8-sig")).get(name)
    except (OSError, ValueError):
        return ""
    return value if isinstance(value, str) else ""


def _of_another_domain(name: object) -> str:
    """Tell why this process cannot serve a platform that names this domain, with the way out; empty where it can."""
    if not isinstance(name, str) or name == serving():
        return ""
    return (
        f"domain is {name!r}, and this process serves {serving()!r}; choose another folder, or start a process of its own with"
        f" {DOMAIN_VARIABLE}={name}"
    )


def _of_another_prefix(prefix: object) -> str:
    """Tell why this process, whose names are made, cannot serve a platform with this prefix; empty where it can."""
    if not isinstance(prefix, str) or prefix == PREFIX:
        return ""
    return (
        f"topic_prefix is {prefix!r}, and this process has {PREFIX!r}; choose another folder, or start a process of its own with"
        f" {PREFIX_VARIABLE}={prefix}"
    )


def _folder(root: str, setting: str) -> Path:
    """Return the folder that ``root`` is. Raises SettingsError where it is a URL."""
    path = root.removeprefix("file://")
    if "://" in path:
        raise SettingsError(
            f"{setting} is a {root.partition('://')[0]}:// URL, and what was asked needs a folder;"
            " name one, it may be mounted from elsewhere (docs/apart.md)"
        )
    return Path(path)


def _unwritable(settings: Settings) -> str:
    """Tell why topics as these settings have them could not be made or written, with the way out; empty where they can."""
    copies, least = settings.replication_factor, settings.min_insync_replicas
    if copies > 1 and not settings.bootstrap_servers:
        return (
            f"topics.replication_factor is {copies}, and the platform's own broker is one node;"
            " leave it out, or name a cluster in bootstrap_servers"
        )
    if least > copies:
        return (
            f"topics.min_insync_replicas is {least}, more than the {copies} copies of topics.replication_factor,"
            " so that no record would ever count as written; lower the one or raise the other"
        )
    return ""
