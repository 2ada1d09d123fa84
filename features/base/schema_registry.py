"""The ``[schema_registry]`` table of ``driftloop.toml``: where producers' Avro, Protobuf and JSON Schemas are registered."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from features.base.network import is_loopback


class SchemaRegistry(BaseModel):
    """A registry with Confluent's API. Empty ``url``: there is none, and values are plain JSON.

    ``password`` and ``token`` may be ``file:PATH`` (relative to the platform's folder) or ``env:NAME``.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    #: http(s)://host:port/path; the API's ``/schemas/ids/...`` lies below it.
    url: str = Field(default="", max_length=2000)
    user: str = ""
    password: str = ""
    #: A bearer token, in place of user and password.
    token: str = ""
    #: PEM file of the authority that the registry's certificate is from, relative to the platform's folder; empty: the system's.
    ca: str = ""
    #: Seconds for one answer.
    timeout_s: float = Field(default=5.0, gt=0, le=300)

    @model_validator(mode="after")
    def _fits(self) -> SchemaRegistry:
        given = [name for name in ("user", "password", "token", "ca") if getattr(self, name)]
        if not self.url:
            if given:
                raise ValueError(f"schema_registry.{given[0]} is set and schema_registry.url is empty; name the registry")
            return self
        try:
            parts = urlsplit(self.url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise ValueError(f"schema_registry.url is no URL ({error}); write http://HOST:PORT or https://HOST") from error
        if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or not self.url.isascii():
            raise ValueError("schema_registry.url must be http://HOST:PORT or https://HOST, with a path where it has one")
        if parts.username is not None:
            raise ValueError("schema_registry.url holds a user; write it into schema_registry.user and password")
        if bool(self.user) != bool(self.password):
            raise ValueError("schema_registry.user and schema_registry.password go together; set both")
        if self.user and self.token:
            raise ValueError("schema_registry.token and schema_registry.user are both set; keep one")
        if parts.scheme == "http" and self.ca:
            raise ValueError("schema_registry.ca is set and schema_registry.url is http://; write https://")
        if parts.scheme == "http" and (self.user or self.token) and not is_loopback(host):
            secret = "token" if self.token else "password"
            raise ValueError(
                f"schema_registry.{secret} would cross the network in clear text; write https:// in schema_registry.url"
            )
        return self
