from __future__ import annotations

from pathlib import Path

import pytest

from features.base.kafka_options import client, encrypted
from features.base.settings import ADMIN, Settings, SettingsError, load

TOML = """bootstrap_servers = "kafka.example:9093"
[kafka]
"security.protocol" = "sasl_ssl"
"sasl.username" = "{user}"
"sasl.password" = "file:passwords/{user}"
"client.id" = "env:TEST_CLIENT_ID"
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    (tmp_path / "driftloop.toml").write_text(TOML)
    (tmp_path / "passwords").mkdir()
    for user in ("scorer", "inspect"):
        (tmp_path / "passwords" / user).write_text(f"of {user}\n")
    monkeypatch.setenv("TEST_CLIENT_ID", "me")
    return load(tmp_path)


def test_each_part_has_its_own_name_and_password(settings: Settings) -> None:
    assert client(settings.as_user("scorer")) == {
        "security.protocol": "sasl_ssl",
        "sasl.username": "scorer",
        "sasl.password": "of scorer",
        "client.id": "me",
        "bootstrap.servers": "kafka.example:9093",
    }
    # Whoever names no part only looks.
    assert client(settings)["sasl.username"] == "inspect"
    assert encrypted(settings)


def test_one_name_for_all_parts(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLOOP_KAFKA_USER", "scorer")
    assert client(load(settings.dir).as_user("archive"))["sasl.password"] == "of scorer"


def test_a_secret_that_is_not_there_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        SettingsError, match=r"kafka\.sasl\.password: .*/passwords/archive cannot be read .* user archive needs it"
    ):
        client(settings.as_user("archive"))
    monkeypatch.delenv("TEST_CLIENT_ID")
    with pytest.raises(SettingsError, match=r"kafka\.client\.id is env:TEST_CLIENT_ID, and the environment lacks TEST_CLIENT_ID"):
        client(settings.as_user("scorer"))


def test_a_platform_without_security_asks_for_nothing(tmp_path: Path) -> None:
    assert client(load(tmp_path)) == {"bootstrap.servers": "127.0.0.1:0"}
    assert not encrypted(load(tmp_path))


def test_a_secure_platform_tells_its_clients_how(tmp_path: Path) -> None:
    (tmp_path / "driftloop.toml").write_text("secure = true\n[ports]\nkafka = 1\nkafka_internal = 2\nredis = 3\n")
    (tmp_path / "secrets" / "kafka").mkdir(parents=True)
    (tmp_path / "secrets" / "kafka" / "scorer").write_text("s3cret")
    settings = load(tmp_path)
    scorer, admin = client(settings.as_user("scorer")), client(settings.as_user(ADMIN))
    assert (scorer["sasl.username"], scorer["sasl.password"], scorer["bootstrap.servers"]) == ("scorer", "s3cret", "127.0.0.1:1")
    assert (admin["security.protocol"], admin["bootstrap.servers"]) == ("ssl", "127.0.0.1:2")
    assert "sasl.password" not in admin
    assert scorer["ssl.ca.location"] == admin["ssl.ca.location"] == str(tmp_path / "secrets" / "ca.pem")
    assert settings.redis_connection == "127.0.0.1:3,password=${DRIFTLOOP_REDIS_PASSWORD}"
    assert settings.redis_address == "127.0.0.1:3"


def test_nobody_overrides_the_administrator(settings: Settings) -> None:
    settings.kafka_user = "scorer"
    assert (settings.as_user(ADMIN).user, settings.as_user("archive").user) == (ADMIN, "scorer")


def test_a_wrong_setting_is_told_without_a_secret(tmp_path: Path) -> None:
    (tmp_path / "driftloop.toml").write_text('partitions = 0\n[kafka]\n"sasl.password" = 123456789\n[feast]\nredis = "geheim"\n')
    with pytest.raises(SettingsError) as wrong:
        load(tmp_path)
    assert "kafka.sasl.password is not as it must be; write a text" in str(wrong.value)
    assert "partitions is 0; write a number, at least 1 and at most 1,000" in str(wrong.value)
    assert "feast.redis is not as it must be; write host:port" in str(wrong.value)
    assert not any(secret in str(wrong.value) for secret in ("123456789", "geheim"))


def test_a_table_that_is_wrong_as_a_whole_is_told_without_its_content(tmp_path: Path) -> None:
    (tmp_path / "driftloop.toml").write_text(
        '[feast]\nredis = "h:1,password=hunter2"\nregistry = "sql"\nregistry_path = "u:hunter2@db"\n'
    )
    with pytest.raises(SettingsError) as raised:
        load(tmp_path)
    assert "feast" in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_password_above_its_table_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "driftloop.toml").write_text('"sasl.password" = "hunter2"\n[kafka]\n"sasl.username" = "u"\n')
    with pytest.raises(SettingsError, match=r"there is no setting sasl\.password") as raised:
        load(tmp_path)
    assert "hunter2" not in str(raised.value)
