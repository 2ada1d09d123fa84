from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from infra.security.certificates import RENEW_DAYS, authority, certificate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    authority(tmp_path)
    certificate(tmp_path, "broker")
    return tmp_path


def greet(server: Path, trusted: Path, own: Path | None = None, host: str = "127.0.0.1") -> str:
    """What a client that trusts ``trusted`` hears from a server with the certificates in ``server``, which asks for one."""
    outside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    outside.load_cert_chain(server / "broker.pem")
    outside.load_verify_locations(server / "ca.pem")
    outside.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=str(trusted / "ca.pem"))
    if own is not None:
        client.load_cert_chain(own)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                try:
                    with outside.wrap_socket(connection, server_side=True) as wrapped:
                        shown = x509.load_der_x509_certificate(wrapped.getpeercert(binary_form=True) or b"")
                        wrapped.sendall(shown.subject.rfc4514_string().encode())
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with (
                socket.create_connection(listening.getsockname()) as plain,
                client.wrap_socket(plain, server_hostname=host) as made,
            ):
                return made.recv(1000).decode()
        finally:
            thread.join()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_both_sides_know_each_other(folder: Path, host: str) -> None:
    certificate(folder, "admin")
    assert greet(folder, folder, folder / "admin.pem", host) == "CN=driftloop-admin"


def test_another_authority_and_another_name_are_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    authority(other)
    with pytest.raises(ssl.SSLCertVerificationError):
        greet(folder, other)
    with pytest.raises(ssl.SSLCertVerificationError):
        greet(folder, folder, host="broker.example")


def test_who_has_no_certificate_hears_nothing(folder: Path) -> None:
    with pytest.raises(ssl.SSLError):
        greet(folder, folder)


def test_what_is_there_stays_until_it_is_old(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    authority(folder)
    assert not certificate(folder, "broker")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert certificate(folder, "broker", datetime.now(UTC) + timedelta(days=825 - RENEW_DAYS + 1))
    assert (folder / "broker.pem").read_bytes() != before["broker.pem"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())
