"""The ``[network]`` table of ``driftloop.toml``: where each server listens, and where its clients look for it.

All of it is loopback unless said otherwise. A server that others can reach protects itself (a certificate, passwords over TLS) or
is named in ``allow_unprotected``; ``refusal`` says what is missing. See docs/apart.md for a platform on several hosts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

LOOPBACK = "127.0.0.1"

_ALL = "0.0.0.0"

Server = Literal["kafka", "redis", "model_server", "metrics", "control"]
_SERVERS: tuple[Server, ...] = get_args(Server)
#: An IPv4 address or a name. IPv6 goes by a name: ``host:port`` is read in too many places.
HOST = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$"
Host = Annotated[str, Field(pattern=HOST)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Bind(_Table):
    """The address of this host that each server listens on; 0.0.0.0: all of them."""

    kafka: Host = LOOPBACK
    redis: Host = LOOPBACK
    #: REST and gRPC.
    model_server: Host = LOOPBACK
    #: Metrics and health of each process that runs here.
    metrics: Host = LOOPBACK
    #: Control's page.
    control: Host = LOOPBACK


class Hosts(_Table):
    """Where clients look for each server; empty: on this host. A broker that is not the platform's own is ``bootstrap_servers``,
    such a Redis ``feast.redis``."""

    kafka: Host | Literal[""] = ""
    redis: Host | Literal[""] = ""
    model_server: Host | Literal[""] = ""
    control: Host | Literal[""] = ""
    #: By process, as in ``ports.metrics``.
    metrics: dict[str, Host] = {}


class Tls(_Table):
    """Certificates of the model server, PEM files, relative to the platform's folder. All empty: no TLS."""

    #: What REST and gRPC show to clients.
    certificate: str = ""
    #: Its key; empty: in the certificate's file.
    key: str = ""
    #: The authority that clients of the model server trust; where it is set they speak TLS.
    authority: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Tls:
        if self.key and not self.certificate:
            raise ValueError("network.tls.key is set and network.tls.certificate is empty; name both")
        if self.certificate and not self.authority:
            raise ValueError(
                "network.tls.certificate is set and network.tls.authority is empty; name the authority that signed it,"
                " by which clients know the model server"
            )
        return self


class Network(_Table):
    """Addresses of servers, and what may cross the network as it is."""

    bind: Bind = Bind()
    hosts: Hosts = Hosts()
    tls: Tls = Tls()
    #: Servers that may be reached from other hosts although they ask for no name (metrics, control) or would send their password
    #: or token in clear text (redis, model_server): something else protects that network, such as a VPN or a service mesh.
    allow_unprotected: list[Literal["redis", "model_server", "metrics", "control"]] = []

    def host(self, server: Server, process: str = "") -> str:
        """Return where a client finds a server; of metrics, those of ``process``."""
        given = self.hosts.metrics.get(process, "") if server == "metrics" else getattr(self.hosts, server)
        bound: str = getattr(self.bind, server)
        return given or (LOOPBACK if bound == _ALL else bound)

    def refusal(self, secure: bool, elsewhere: Collection[Server] = ()) -> str:
        """Tell why these addresses are not to be used, with the way out; empty where they are.

        ``secure``: see ``Settings.secure``; ``elsewhere``: the servers that are not the platform's own.
        """
        for server, field, address in self._beyond_loopback():
            if server in elsewhere:
                continue
            lack, cure = self._lack(server, field, secure)
            if lack:
                return f"network.{field} is {address}, beyond loopback, and {lack}; {cure}, or leave it at {LOOPBACK}"
        if self.bind.kafka == _ALL and not self.hosts.kafka and "kafka" not in elsewhere:
            return f"network.bind.kafka is {_ALL}, and the broker must name one address to its clients; set network.hosts.kafka"
        return ""

    def _beyond_loopback(self) -> Iterator[tuple[Server, str, str]]:
        """Yield server, field and value of each address by which traffic leaves this host."""
        for server in _SERVERS:
            if not is_loopback(bound := getattr(self.bind, server)):
                yield server, f"bind.{server}", bound
            # Clients send nothing secret to the pages.
            if server not in ("metrics", "control") and (host := getattr(self.hosts, server)) and not is_loopback(host):
                yield server, f"hosts.{server}", host

    def _lack(self, server: Server, field: str, secure: bool) -> tuple[str, str]:
        """Tell what is missing for the traffic of one field, and the way out; both empty where nothing is."""
        allow = f'add "{server}" to network.allow_unprotected where something else protects that network'
        make_secure = "write secure = true (driftloop up --secure)"
        if server == "kafka":
            return ("", "") if secure else ("the broker would ask nobody for a name", make_secure)
        if server == "redis" and not secure:
            return "Redis would ask nobody for a password", make_secure
        if server in self.allow_unprotected:
            return "", ""
        if server == "redis":
            return "Redis's password and rows would cross the network in clear text", allow
        if server == "model_server":
            pem = "certificate" if field.startswith("bind") else "authority"
            clear = "the model server's token would cross the network in clear text"
            return ("", "") if getattr(self.tls, pem) else (clear, f"set network.tls.{pem}, or {allow}")
        return f"{'control' if server == 'control' else 'the metrics page'} asks nobody for a name", allow


def is_loopback(host: str) -> bool:
    """Tell whether only this host reaches an address. A name other than localhost counts as one that others reach."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
