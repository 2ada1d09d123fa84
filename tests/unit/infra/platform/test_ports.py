from __future__ import annotations

import socket
import tomllib
from pathlib import Path

import pytest

from features.base.sections import Ports
from features.base.settings import FILE_NAME, SettingsError, load
from infra.errors import PlatformError
from infra.platform import ports

PROCESSES = ("scorer", "control")


def test_every_port_is_assigned_once_and_remembered(tmp_path: Path) -> None:
    first = ports.assign(load(tmp_path), PROCESSES).ports
    every = [*first.model_dump(exclude={"metrics"}).values(), *first.metrics.values()]
    assert len(set(every)) == len(every) == len(Ports.model_fields) - 1 + len(PROCESSES)
    assert all(ports.FIRST <= port < ports.LAST for port in every)
    assert ports.assign(load(tmp_path), PROCESSES).ports == first


def test_what_the_user_wrote_stays(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(
        "partitions = 2  # mine\n\n[ports]  # and these\nkafka = 9092\n\n[labels]\ndelay_days = 3.0\n"
    )
    settings = ports.assign(load(tmp_path), PROCESSES)
    assert (settings.ports.kafka, settings.partitions, settings.labels.delay_days) == (9092, 2, 3.0)
    assert settings.ports.redis
    assert settings.ports.metrics.keys() == set(PROCESSES)
    assert "partitions = 2  # mine" in (tmp_path / FILE_NAME).read_text()


def test_a_process_that_is_new_gets_a_port_beside_the_others(tmp_path: Path) -> None:
    before = ports.assign(load(tmp_path), ("scorer",)).ports
    after = ports.assign(load(tmp_path), PROCESSES).ports
    assert after.metrics["scorer"] == before.metrics["scorer"]
    assert after.metrics["control"]


def test_an_inline_table_cannot_be_extended_and_says_so(tmp_path: Path) -> None:
    text = "ports = { kafka = 9092 }\n"
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(SettingsError, match=r"write the ports as tables, \[ports\] and \[ports.metrics\]"):
        ports.assign(load(tmp_path), PROCESSES)
    assert (tmp_path / FILE_NAME).read_text() == text


def test_extended_adds_a_table_or_fills_one() -> None:
    assert tomllib.loads(ports.extended("a = 1\n", "ports", {"kafka": 5})) == {"a": 1, "ports": {"kafka": 5}}
    filled = ports.extended("[ports]\nredis = 6\n[x]\n", "ports", {"kafka": 5})
    assert tomllib.loads(filled) == {"ports": {"redis": 6, "kafka": 5}, "x": {}}
    assert ports.extended("as it was", "ports", {}) == "as it was"


def test_a_port_in_use_is_not_free_and_its_holder_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not ports.is_free(port)
        assert ports.holder(port).startswith(("pid ", "another process"))
    assert ports.is_free(port)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "# Settings of this driftloop platform; see features/base/settings.py for all of them.\nsecure = true\n"),
        ("# mine\npartitions = 2\n\n[drift]\nmin_rows = 5\n", "# mine\nsecure = true\npartitions = 2\n\n[drift]\nmin_rows = 5\n"),
        ('secure = false\n[kafka]\n"secure" = "x"\n', 'secure = true\n[kafka]\n"secure" = "x"\n'),
    ],
)
def test_a_setting_is_remembered_at_the_top(before: str | None, after: str, tmp_path: Path) -> None:
    path = tmp_path / "platform" / FILE_NAME
    if before is not None:
        path.parent.mkdir()
        path.write_text(before)
    assert ports.remember(load(path.parent), "secure", "true").secure
    assert path.read_text() == after


def test_a_range_of_its_own_is_kept_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ports.RANGE_VARIABLE, "23456-23459")
    numbers = ports.free_ports({23457})
    assert {next(numbers) for _ in range(3)} <= {23456, 23458, 23459}
    with pytest.raises(PlatformError, match="no free port from 23456 to 23459"):
        next(numbers)


@pytest.mark.parametrize("wrong", ["20000", "0-5", "9-8", "20000-70000", "a-b"])
def test_a_range_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv(ports.RANGE_VARIABLE, wrong)
    with pytest.raises(
        SettingsError,
        match=r"DRIFTLOOP_PORT_RANGE is '.*'; write two ports from 1 to 65535",
    ):
        next(ports.free_ports(set()))
