"""How a URL is opened: straight where the server is on this host, else as the environment says.

A company's ``http_proxy`` is for the world outside. It would be asked for 127.0.0.1, too, and it answers for its own loopback, or
not at all. So everything of ours that speaks HTTP as a client comes here; a test looks for who does not.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from typing import cast
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener, getproxies, proxy_bypass

from features.base.network import is_loopback

#: What ``open_url`` and reading its answer may raise.
FAILURES = (OSError, HTTPException)


def on_this_host(host: str) -> bool:
    """Tell whether an address is this host's own: loopback, or an IP that a socket of ours could have.

    Names other than localhost are not looked up; behind a proxy often nobody can.
    """
    if is_loopback(host):
        return True
    # A datagram socket: nothing is sent, and no port in use is in the way.
    with suppress(OSError, UnicodeError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        socket.inet_aton(host)
        own.bind((host, 0))
        return True
    return False


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for ``url``; None where it goes straight.

    Never one for this host, nor for a host that ``no_proxy`` names.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if on_this_host(host) or proxy_bypass(host if parts.port is None else f"{host}:{parts.port}"):
        return None
    return getproxies().get(parts.scheme)


def open_url(
    url: str,
    timeout_s: float,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    trust: ssl.SSLContext | None = None,
) -> HTTPResponse:
    """Send GET, or POST where there is a ``body``; return the answer, to be closed by the caller.

    ``trust``: whom to believe over https; None: the system's authorities. Raises OSError (urllib.error.HTTPError for a status of
    400 and more), http.client.HTTPException where the answer is no HTTP.
    """
    proxy = proxy_for(url)
    # An empty ProxyHandler replaces the one that reads the environment.
    proxies = ProxyHandler({} if proxy is None else {urlsplit(url).scheme: proxy})
    request = Request(url, body, dict(headers or {}))
    return cast(HTTPResponse, build_opener(proxies, HTTPSHandler(context=trust)).open(request, timeout=timeout_s))


def read_url(url: str, timeout_s: float) -> bytes:
    """Return what GET answers. Raises as ``open_url``."""
    with open_url(url, timeout_s) as answer:
        return answer.read()


def java_proxies() -> list[str]:
    """Return the environment's proxies as Java's options: Java does not read ``http_proxy``."""
    options = []
    for scheme in ("http", "https"):
        parts = urlsplit(getproxies().get(scheme, ""))
        if parts.hostname:
            options += [f"-D{scheme}.proxyHost={parts.hostname}", f"-D{scheme}.proxyPort={parts.port or 80}"]
    if options and (spared := getproxies().get("no", "")):
        # A name stands for its sub-domains, too; Java says that with a star.
        names = [name.strip().lstrip(".") for name in spared.split(",") if name.strip()]
        options.append("-Dhttp.nonProxyHosts=" + "|".join(part for name in names for part in (name, f"*.{name}")))
    return options


def why(error: Exception) -> str:
    """Return why a URL could not be read, in a few words that stay the same from one try to the next."""
    reason = getattr(error, "reason", error)
    cause = reason if isinstance(reason, Exception) else error
    if isinstance(cause, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    return " ".join(str(error).split()) or type(error).__name__
