"""All settings, in one place: defaults here, then ``driftloop.toml`` in the platform's folder, then ``DRIFTLOOP_*``.

A nested field is written with two underscores in the environment: ``DRIFTLOOP_LABELS__DELAY_DAYS=7``.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from features.base.domain_name import DEFAULT_DOMAIN, DOMAIN_VARIABLE, serving
from features.base.durations import DAY_MS
from features.base.feast_settings import Feast
from features.base.network import LOOPBACK, Network, Server

if TYPE_CHECKING:
    from features.base.domain import Domain

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

Port = Annotated[int, Field(ge=0, le=65_535)]


def _domains_limit() -> int:
    return _domain().measure_limit


def _domains_model() -> str:
    return _domain().model


def _domain() -> Domain:
    # Not before it is asked for: what reads settings to learn the domain's name must not load one.
    from features.base.active import DOMAIN

    return DOMAIN


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Ports(_Section):
    """TCP ports, on the addresses of ``[network]``. Zero means: ``driftloop up`` picks a free one and writes it down."""

    kafka: Port = 0
    kafka_controller: Port = 0
    #: Where a secure broker is spoken to by itself and by ``driftloop up``, with certificates.
    kafka_internal: Port = 0
    redis: Port = 0
    rest: Port = 0
    grpc: Port = 0
    control: Port = 0
    #: Metrics and health of each process, by its name under the supervisor.
    metrics: dict[str, Port] = {}


class Topics(_Section):
    """How many brokers keep each record. Where nothing is set: one at the platform's own broker, which is one node; at a cluster
    elsewhere three, of which two must have a record before it counts as written."""

    #: Copies of each partition, of topics that are yet to be made.
    replication_factor: int | None = Field(default=None, ge=1, le=32_767)
    #: Copies that must have a record before it counts as written: Kafka's min.insync.replicas. None: one less than there are.
    min_insync_replicas: int | None = Field(default=None, ge=1, le=32_767)


class Storage(_Section):
    """Where what lasts is kept: a folder, or any URL that fsspec knows (``s3://bucket/prefix`` with s3fs beside driftloop).
    Empty: in the platform's folder. ``snapshots.path`` is one more; what each kind of store can do is in docs/apart.md."""

    #: Model versions, and what is served of them.
    models: str = ""
    #: What training runs leave: their requests, steps and results. They work in the platform's folder.
    runs: str = ""
    #: The archive and Feast's offline rows, in place of ``feast.root``.
    rows: str = ""


class Features(_Section):
    """What the feature transform takes from the settings. Each of these is part of the vector's schema."""

    model_config = ConfigDict(frozen=True)

    #: Measures above this, in whole units, are unusual for any subject. Where nothing is said: the domain's.
    measure_limit: int = Field(default_factory=_domains_limit, gt=0, le=1_000_000_000)

    @field_validator("measure_limit", mode="before")
    @classmethod
    def _is_number(cls, value: object) -> object:
        if isinstance(value, bool):
            raise ValueError("write a whole number of units")  # noqa: TRY004 - pydantic wants a ValueError
        return value


class Scoring(_Section):
    """The scorer's batches and time-outs."""

    max_batch: int = Field(default=4000, ge=1)
    linger_ms: int = Field(default=2, ge=0)
    #: Seconds for one call of the model server. Within Kafka's max.poll.interval.ms, or the group goes on without us.
    model_timeout_s: float = Field(default=5.0, gt=0, le=300)
    #: Seconds for one answer of Redis; a socket takes no time without limit.
    profile_timeout_s: float = Field(default=0.5, gt=0, le=60)
    #: A transaction whose id came within this time (event time) is a duplicate; 0: none ever is.
    duplicate_horizon_hours: float = Field(default=24.0, ge=0, le=24 * 90)
    #: A transaction that is further behind the others is scored and flagged as late.
    allowed_lateness_hours: float = Field(default=24.0, ge=0)
    #: A transaction or a label with a time that is further ahead of the broker's clock goes to the DLQ; 0: any time is taken.
    allowed_lead_hours: float = Field(default=1.0, ge=0, le=24)
    #: Without a model server: the stream waits, or scores by a few rules and says that it did.
    fallback: Literal["wait", "rules"] = "wait"
    #: How long the model server may be away before the rules take over.
    fallback_after_s: float = Field(default=2.0, ge=0)


class Snapshots(_Section):
    """Where the scorer keeps its state, so that a restart does not replay the whole log."""

    #: A folder, or any URL that fsspec knows; empty: ``snapshots`` in the platform's folder.
    path: str = ""
    #: Wall time between two snapshots of a partition; 0: none are taken.
    interval_s: float = Field(default=60.0, ge=0)
    #: Subjects that are copied between two batches: what bounds the pause.
    subjects_a_step: int = Field(default=2000, ge=1)


class Writers(_Section):
    """The processors that write files and online rows. A second's patience saves most of the small files."""

    linger_s: float = Field(default=1.0, ge=0)
    #: Wall time between two looks for small files to merge; 0: never (``driftloop archive compact`` does it when asked).
    compact_s: float = Field(default=300.0, ge=0, le=604_800)


class Labels(_Section):
    """How long a transaction may wait for its label before it counts as negative, in days of event time."""

    delay_days: float = Field(default=7.0, ge=1 / 24, le=60)
    #: A counterpart's outcomes are read up to event time less the delay, rounded down to a multiple of this many hours.
    #: Where a replay lets the clock jump by days, only 24 lets every outcome be known by then.
    step_hours: int = Field(default=1, ge=1, le=168)

    @property
    def delay_ms(self) -> int:
        return int(self.delay_days * DAY_MS)


class Drift(_Section):
    """The drift monitor's windows and thresholds."""

    window_hours: float = Field(default=24.0, gt=0)
    min_rows: int = Field(default=500, ge=1)
    share_threshold: float = Field(default=0.3, gt=0, le=1)
    feature_threshold: float = Field(default=0.15, gt=0)
    consecutive_windows: int = Field(default=2, ge=1)
    adwin_delta: float = Field(default=0.05, gt=0, lt=1)
    min_labels_first: int = Field(default=5000, ge=1)
    min_positives_first: int = Field(default=50, ge=1)


class Skew(_Section):
    """How served vectors are checked against batch."""

    #: Subjects of a day that are computed again; 0: no checks.
    subjects: int = Field(default=300, ge=0, le=100_000)
    #: Wall time between two looks for a day that has become complete.
    interval_s: float = Field(default=300.0, gt=0, le=604_800)


class Policy(_Section):
    """When a retrain request becomes a run."""

    cooldown_hours: float = Field(default=24.0, ge=0)
    min_labels: int = Field(default=1000, ge=0)
    min_positives: int = Field(default=20, ge=0)
    #: Ask for a run this many days of event time after the last one; None: never by schedule.
    schedule_days: float | None = Field(default=None, gt=0)


class Training(_Section):
    """How the pipeline trains, and what the gate asks of a new model."""

    days: float = Field(default=60.0, gt=0)
    holdout_share: float = Field(default=0.25, gt=0, lt=1)
    epochs: int = Field(default=12, ge=1)
    seed: int = 7
    max_ap_loss: float = Field(default=0.02, ge=0)
    shadow_transactions: int = Field(default=1000, ge=0)
    review_budget: float = Field(default=0.005, gt=0, le=1)
    #: What it costs to look at one alert, in units of the measure.
    review_cost: float = 5.0
    #: An event this old counts half in training, so that a new pattern outweighs a dead one.
    half_life_days: float = 15.0
    #: Share of the subjects that the holdout judges; the others' holdout-time events are learned from, so that a pattern
    #: born there can be. 1 makes it a split by time alone.
    holdout_subjects: float = Field(default=0.5, gt=0.0, le=1.0)
    #: A holdout with fewer positives proves nothing.
    min_holdout_positives: int = 10
    #: More rows than this are thinned before training (negative ones only), to bound its time.
    max_rows: int = 250_000


class Settings(BaseSettings):
    """Where everything is and how it behaves. Paths are absolute once loaded."""

    model_config = SettingsConfigDict(env_prefix="DRIFTLOOP_", env_nested_delimiter="__", extra="forbid")

    dir: Path = Path(".driftloop")
    #: A folder of features/domains, or package.module:OBJECT. A process serves one domain, a platform too.
    domain: str = Field(default=DEFAULT_DOMAIN, min_length=1, max_length=200)
    #: The model's name at the model server. Where nothing is said: the domain's.
    model: str = Field(default_factory=_domains_model, pattern="^[A-Za-z0-9_-]{1,64}$")
    partitions: int = Field(default=4, ge=1, le=1000)
    #: Empty means the platform's own broker at ports.kafka.
    bootstrap_servers: str = ""
    #: Handed to every Kafka client (librdkafka names). ``{user}`` is the client's user, ``file:PATH`` and ``env:NAME`` stand for
    #: what is there (``features.base.kafka_options``), so that no secret need be in a file of settings.
    kafka: dict[str, str] = {}
    #: The Kafka user of this process and of all its parts, in place of each part's own.
    kafka_user: str = Field(default="", pattern=r"^$|^[A-Za-z0-9_.-]{1,64}$")
    #: The platform's own Kafka and Redis ask for passwords, and Kafka's traffic is encrypted (``driftloop up --secure``).
    secure: bool = False
    ports: Ports = Ports()
    network: Network = Network()
    topics: Topics = Topics()
    storage: Storage = Storage()
    features: Features = Field(default_factory=Features)
    scoring: Scoring = Scoring()
    snapshots: Snapshots = Snapshots()
    writers: Writers = Writers()
    labels: Labels = Labels()
    drift: Drift = Drift()
    skew: Skew = Skew()
    policy: Policy = Policy()
    training: Training = Training()
    feast: Feast = Feast()

    _part: str = PrivateAttr(default=ONLOOKER)

    def as_user(self, part: str) -> Settings:
        """These settings for one part of the loop, which speaks to Kafka as the user of its name unless ``kafka_user`` is set."""
        copy = self.model_copy()
        copy._part = part
        return copy

    @property
    def user(self) -> str:
        """The Kafka user for whom these settings are; nobody overrides the admin, who is known by a certificate."""
        return self._part if self._part == ADMIN else self.kafka_user or self._part

    @property
    def secure_broker(self) -> bool:
        """Whether the broker is our own and secure; one elsewhere is described by ``kafka``."""
        return self.secure and not self.bootstrap_servers

    @property
    def replication_factor(self) -> int:
        """Copies of each partition of a new topic."""
        return self.topics.replication_factor or (_REPLICAS_ELSEWHERE if self.bootstrap_servers else 1)

    @property
    def min_insync_replicas(self) -> int:
        """Copies that must have a record before it counts as written."""
        return self.topics.min_insync_replicas or max(1, self.replication_factor - 1)

    @property
    def bootstrap(self) -> str:
        """Kafka bootstrap servers."""
        if self.bootstrap_servers:
            return self.bootstrap_servers
        if self.secure_broker and self.user == ADMIN:
            # The broker's own listener, for whoever holds the administrator's certificate on its host.
            return f"{LOOPBACK}:{self.ports.kafka_internal}"
        return f"{self.network.host('kafka')}:{self.ports.kafka}"

    @property
    def redis_address(self) -> str:
        """Redis: host:port."""
        return self.redis_connection.partition(",")[0]

    @property
    def redis_connection(self) -> str:
        """Redis as Feast writes it: host:port, then options, secrets as ``${NAME}``."""
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
        """Control's page."""
        return f"http://{self.network.host('control')}:{self.ports.control}/status"

    def metrics_url(self, process: str) -> str:
        """The metrics page of a process; its port must be known."""
        return f"http://{self.network.host('metrics', process)}:{self.ports.metrics[process]}/metrics"

    @property
    def model_authority(self) -> Path | None:
        """PEM file of whom clients of the model server trust; None where they speak plain text."""
        return self.dir / self.network.tls.authority if self.network.tls.authority else None

    @property
    def token_file(self) -> Path:
        """Bearer token of the model server, made at first ``up``, readable by the owner only."""
        return self.dir / "token"

    @property
    def secrets(self) -> Path:
        """Passwords, keys and certificates, for the owner only."""
        return self.dir / "secrets"

    @property
    def models_root(self) -> str:
        """Folder or URL of the model store."""
        return self._root(self.storage.models, "models")

    @property
    def model_store(self) -> Path:
        """The folder of the model store. Raises SettingsError where it is none."""
        return _folder(self.models_root, "storage.models")

    @property
    def model_cache(self) -> Path:
        """Where versions from a model store elsewhere are kept on this host."""
        return self.dir / "cache" / "models"

    @property
    def snapshot_root(self) -> str:
        """Folder or URL of the scorer's snapshots."""
        return self.snapshots.path or str(self.dir / "snapshots")

    @property
    def archive(self) -> Path:
        """Parquet by event day: ``archive/scores/day=YYYY-MM-DD/*.parquet`` and ``archive/outcomes/...``."""
        return self.rows / "archive"

    @property
    def rows_root(self) -> str:
        """Folder or URL that our writers fill with offline rows."""
        own = self.dir if self.feast.remote else self.dir / self.feast.root
        return self._root(self.storage.rows, str(own))

    @property
    def rows(self) -> Path:
        """The folder of ``rows_root``. Raises SettingsError where it is none."""
        return _folder(self.rows_root, "storage.rows")

    @property
    def feature_repo(self) -> Path:
        """The Feast repository with this platform's addresses: feature_store.yaml, the objects as Python, registry."""
        return self.dir / "feast"

    @property
    def runs(self) -> Path:
        """One folder a training run, where it works; what lasts of it goes to ``runs_root``."""
        return self.dir / "runs" if "://" in self.storage.runs else self.dir / (self.storage.runs or "runs")

    @property
    def runs_root(self) -> str:
        """Folder or URL of what training runs leave."""
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
            values = tomllib.loads(path.read_text())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} is not valid TOML ({error}); mend it or remove it to start from the defaults") from error
    values.pop("dir", None)
    if refusal := _of_another_domain(values.get("domain")):
        raise SettingsError(f"{path}: {refusal}")
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise SettingsError(f"{path} or a DRIFTLOOP_ variable holds a wrong setting: {_told(error)}") from None
    except ValueError as error:
        raise SettingsError(f"{path} or a DRIFTLOOP_ variable holds a wrong setting: {error}") from error
    if settings.storage.rows and settings.feast.root:
        raise SettingsError(f"{path} or a DRIFTLOOP_ variable: storage.rows and feast.root both say where rows lie; keep one")
    if refusal := _unwritable(settings):
        raise SettingsError(f"{path} or a DRIFTLOOP_ variable: {refusal}")
    away: list[Server] = ["kafka"] if settings.bootstrap_servers else []
    away += ["redis"] if settings.feast.redis else []
    if refusal := settings.network.refusal(settings.secure, away):
        raise SettingsError(f"{path} or a DRIFTLOOP_ variable: {refusal} (docs/apart.md)")
    settings.dir = root
    return settings


def domain_in(folder: Path) -> str | None:
    """The domain that the platform in ``folder`` names; None where it names none, or its file cannot be read."""
    try:
        name = tomllib.loads((folder / FILE_NAME).read_text()).get("domain")
    except (OSError, ValueError):
        return None
    return name if isinstance(name, str) and name else None


def _of_another_domain(name: object) -> str:
    """Why this process cannot serve a platform that names this domain, with the way out; empty where it can."""
    if not isinstance(name, str) or name == serving():
        return ""
    return (
        f"domain is {name!r}, and this process serves {serving()!r}; choose another folder, or start a process of its own with"
        f" {DOMAIN_VARIABLE}={name}"
    )


def _folder(root: str, setting: str) -> Path:
    """The folder that ``root`` is. Raises SettingsError where it is a URL."""
    path = root.removeprefix("file://")
    if "://" in path:
        raise SettingsError(
            f"{setting} is a {root.partition('://')[0]}:// URL, and what was asked needs a folder so far;"
            " name one, it may be mounted from elsewhere (docs/apart.md)"
        )
    return Path(path)


def _unwritable(settings: Settings) -> str:
    """Why topics as these settings have them could not be made or written, with the way out; empty where they can."""
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


#: Tables and fields whose values may be secrets: what is wrong there is told without them.
_UNTOLD = ("kafka", "redis", "registry_path", "spark", "storage")


def _told(error: ValidationError) -> str:
    wrong = []
    for one in error.errors(include_url=False):
        place = [str(part) for part in one["loc"]]
        # A table that is wrong as a whole may hold a secret, too, and so may a name that stands in the wrong table.
        misplaced = one["type"] == "extra_forbidden"
        untold = not place or set(place) & set(_UNTOLD) or isinstance(one["input"], (dict, list)) or misplaced
        value = "" if untold else f", not {one['input']!r:.60}"
        wrong.append(f"{'.'.join(place) or 'settings'}: {one['msg']}{value}")
    return "; ".join(wrong)
