"""The certificate by which clients know the model server."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from features.base.settings import Settings, SettingsError


@dataclass(frozen=True)
class Identity:
    """PEM files, which may be one: the certificate and its chain, and its key."""

    certificate: Path
    key: Path


def identity(settings: Settings) -> Identity | None:
    """Return the files of ``network.tls``, None where none are named. Raises SettingsError where they will not do."""
    tls = settings.network.tls
    if not tls.certificate:
        return None
    pair = Identity(settings.dir / tls.certificate, settings.dir / (tls.key or tls.certificate))
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pair.certificate, pair.key)
    except OSError as error:
        # An SSLError is one, too: a file that is no PEM, or a key of another certificate.
        files = f"network.tls.certificate {pair.certificate}, network.tls.key {pair.key}"
        raise SettingsError(f"{files}: no certificate with its key ({error.strerror or error}); put both there as PEM") from error
    return pair
