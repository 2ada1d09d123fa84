"""The model server's certificate, checked before anything listens."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.base.network import Tls
from features.base.settings import Settings, SettingsError
from infra.security.certificates import authority, certificate
from serving.server.tls import Identity, identity


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    authority(tmp_path)
    certificate(tmp_path, "model-server")
    made = Settings(dir=tmp_path)
    made.network.tls = Tls(certificate="model-server.pem", authority="ca.pem")
    return made


def test_key_and_certificate_may_be_one_file(settings: Settings) -> None:
    pem = settings.dir / "model-server.pem"
    assert identity(settings) == Identity(pem, pem)
    assert identity(Settings(dir=settings.dir)) is None


@pytest.mark.parametrize(
    ("certificate_file", "key_file"), [("nowhere.pem", ""), ("ca.pem", ""), ("model-server.pem", "ca.key"), ("text", "text")]
)
def test_files_that_will_not_do_are_named(settings: Settings, certificate_file: str, key_file: str) -> None:
    (settings.dir / "text").write_text("no PEM")
    settings.network.tls = Tls(certificate=certificate_file, key=key_file, authority="ca.pem")
    with pytest.raises(SettingsError, match=rf"network\.tls\.certificate {settings.dir}/{certificate_file}, .*put both there"):
        identity(settings)
