"""Connection texts: what Feast reads in them, we read too."""

from __future__ import annotations

import pytest

from features.base.settings import SettingsError
from features.feast_repo.store import import_feast
from features.online.redis_connection import connect, parsed


def test_options_are_read_as_feast_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    import_feast()
    from feast.infra.online_stores.redis import RedisOnlineStore

    text = "redis.internal:6380,ssl=true,username=fraud,password=s3=cret,db=2"
    [node], options = RedisOnlineStore._parse_connection_string(text)
    assert parsed(text) == (f"{node['host']}:{node['port']}", options)
    assert options == {"ssl": True, "username": "fraud", "password": "s3=cret", "db": 2}


def test_secrets_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_PORT", "6390")
    monkeypatch.setenv("OUR_PASSWORD", "12345")
    assert parsed("h:${OUR_PORT},password=${OUR_PASSWORD}") == ("h:6390", {"password": "12345"})


def test_a_missing_variable_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OUR_PASSWORD", raising=False)
    with pytest.raises(SettingsError, match=r"feast\.redis is h:1,password=\$\{OUR_PASSWORD\}.*set it"):
        connect("h:1,password=${OUR_PASSWORD}", 1.0)


def test_timeouts_are_ours_unless_the_text_has_its_own() -> None:
    options = connect("127.0.0.1:6379", 0.25).connection_pool.connection_kwargs
    assert (options["host"], options["port"], options["socket_timeout"]) == ("127.0.0.1", 6379, 0.25)
    options = connect("127.0.0.1:6379,socket_timeout=3", 0.25).connection_pool.connection_kwargs
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (3, 0.25)
