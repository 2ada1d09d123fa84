"""The platform's own certificate authority, and the certificates that it gives, as PEM files for their owner only."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from features.base.private_files import write

AUTHORITY = "driftloop CA"
#: Names in certificates begin so, and with them the names of Kafka users who are known by one.
PREFIX = "driftloop-"

_AUTHORITY_DAYS = 3650
_DAYS = 825
#: A certificate is given anew by the ``up`` that finds it this close to its end.
RENEW_DAYS = 60


def authority(folder: Path) -> None:
    """Make the authority in ``folder`` unless it is there: ``ca.pem`` (its certificate, for clients) and ``ca.key``."""
    if (folder / "ca.key").exists() and (folder / "ca.pem").exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named(AUTHORITY)
    uses = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    made = (
        _builder(name, name, key, _AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(uses, critical=True)
        .sign(key, hashes.SHA256())
    )
    write(folder / "ca.key", _private(key))
    write(folder / "ca.pem", made.public_bytes(serialization.Encoding.PEM))


def certificate(folder: Path, name: str, moment: datetime | None = None, hosts: Iterable[str] = ()) -> bool:
    """Give ``name`` a certificate and key, both in ``folder/NAME.pem``, unless it has one that is good for a while and for
    the same hosts.

    Returns whether it was given one.
    It holds for 127.0.0.1, localhost and ``hosts`` (addresses and names), for servers and clients.
    Kafka calls its owner ``User:CN=driftloop-NAME``.
    """
    path = folder / f"{name}.pem"
    places = list(dict.fromkeys(_place(host) for host in ("127.0.0.1", "localhost", *hosts)))
    issuer = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    if path.exists():
        held = x509.load_pem_x509_certificate(path.read_bytes())
        left = held.not_valid_after_utc - (moment or datetime.now(UTC))
        named = held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if left > timedelta(days=RENEW_DAYS) and held.issuer == issuer.subject and set(named) == set(places):
            return False
    signer = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        _builder(_named(PREFIX + name), issuer.subject, key, _DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(places), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    write(path, _private(key) + made.public_bytes(serialization.Encoding.PEM))
    return True


def _place(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
    # An hour back: a clock that is a little behind must not refuse a certificate that was made just now.
    start = datetime.now(UTC) - timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return PKCS 8, which Java reads."""
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
