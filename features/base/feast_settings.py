"""The ``[feast]`` table of ``driftloop.toml``: where Feast keeps what, on a laptop and on a cluster.

The defaults are a laptop: DuckDB over Parquet in the platform's folder, a registry in a file, the platform's own Redis. In
``registry_path``, ``redis`` and ``spark``, ``${NAME}`` stands for an environment variable, so that no secret need be in a file.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Days = Annotated[float, Field(ge=0, le=36_500)]


#: Redis as Feast writes it.
REDIS = r"^$|^[^,:\s]+:(\d+|\$\{\w+\})(,\w+=[^,\s]+)*$"


class Feast(BaseModel):
    """Stores and limits of the feature store. A maximum age of 0 days means: no limit."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    #: What computes point-in-time joins. Never Feast's default, dask: its join lost 28 % of the rows without an error.
    offline: Literal["duckdb", "spark"] = "duckdb"
    #: Where archive and offline rows lie: empty for the platform's folder, else another folder (a shared one, on a cluster), or
    #: s3://bucket/prefix. Only Feast and Spark read s3:// addresses: our own writers fill the folder that is copied there.
    root: str = ""
    #: Address of an S3 service that is not Amazon's, and the region, for s3:// roots.
    s3_endpoint: str = ""
    s3_region: str = ""
    #: Settings of Feast's Spark session, as Spark names them.
    spark: dict[str, str] = {}
    #: ``file``: in the platform's folder, for one writer. ``sql``: one database for a team.
    registry: Literal["file", "sql"] = "file"
    #: The database, as SQLAlchemy writes it: sqlite:////srv/registry.db or postgresql+psycopg://user:${PASSWORD}@host/feast.
    registry_path: str = ""
    #: The online store, as Feast writes it: host:port[,ssl=true][,username=..][,password=..][,db=0]. Empty: the platform's own.
    redis: str = Field(default="", pattern=REDIS)

    #: Older owner profiles and counterpart tiles count as missing, online and in joins (Feast calls it ttl). Event time.
    profile_max_age_days: Days = 90.0
    tiles_max_age_days: Days = 0.0
    #: Owner profiles that are newer than the event by more than this count as missing: they know its future.
    profile_max_lead_hours: float = Field(default=24.0, ge=0, le=876_000)
    #: Tiles are read as of the event, whatever their time; newer ones than this are counted, and used all the same.
    tiles_max_lead_days: Days = 30.0

    #: Seconds (wall time) for which the scorer may answer from its own memory instead of Redis. 0 switches that off.
    cache_s: float = Field(default=0.5, ge=0, le=60)
    #: ... and for how much event time: a replay runs through hours in a second, and must not see them all alike.
    cache_event_s: float = Field(default=60.0, ge=0, le=3_153_600_000)
    #: Entities of each kind that are remembered, for that and for the time in which Redis does not answer; counterparts by the
    #: two kilobytes of tiles, so that 50,000 are 100 MB at most.
    cache_entities: int = Field(default=50_000, ge=1, le=100_000_000)

    @model_validator(mode="after")
    def _complete(self) -> Feast:
        if self.registry == "sql" and not self.registry_path:
            raise ValueError("feast.registry is sql and feast.registry_path is empty; name the database, or set registry to file")
        if "://" in self.root and (not self.root.startswith("s3://") or self.root == "s3://"):
            raise ValueError("feast.root must be a folder, or s3:// and a bucket")
        if self.registry == "sql" and "://" not in self.registry_path:
            raise ValueError("feast.registry_path names no database; write it as in sqlite:////srv/registry.db")
        return self

    @property
    def remote(self) -> bool:
        """Tell whether offline rows are read from an object store."""
        return self.root.startswith("s3://")
