"""The reader on a Redis of its own: down, slow, emptied, with rows too old and too new, behind a password."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import redis
from prometheus_client import REGISTRY

from features.base.durations import DAY_MS, HOUR_MS
from features.base.settings import Settings, load
from features.online.cached_reader import Reader
from features.online.feast_encoding import key_prefix, redis_key
from features.online.store import CounterpartRow, OnlineWriter, ProfileReader, ProfilesUnavailable
from infra.platform.ports import free_ports
from infra.services.redis_server import binary
from tests.profile_rows import profile_row, tiles

pytestmark = pytest.mark.integration

T0 = 17_600 * DAY_MS
TIMEOUT_S = 0.2


@dataclass
class Server:
    """A Redis process that a test may stop, stall and start again."""

    settings: Settings
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        port = self.settings.ports.redis
        arguments: list[str | Path] = [
            "--bind",
            "127.0.0.1",
            "--port",
            str(port),
            "--save",
            "",
            "--dir",
            self.folder,
            "--requirepass",
            "geheim",
        ]
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen([str(binary()), *arguments], stdout=log, stderr=log)
        end = time.monotonic() + 20
        while True:
            try:
                self.client().ping()
            except redis.RedisError:
                assert time.monotonic() < end, (self.folder / "redis.log").read_text()
                time.sleep(0.02)
            else:
                return

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.settings.ports.redis, password="geheim", socket_timeout=5)

    def stop(self) -> None:
        if self.process is not None:
            self.resume()
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def stall(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("TEST_REDIS_PASSWORD", "geheim")
    settings = load(tmp_path / "p")
    settings.ports.redis = next(free_ports(set()))
    settings.feast.redis = f"127.0.0.1:{settings.ports.redis},password=${{TEST_REDIS_PASSWORD}}"
    settings.feast.cache_s = 0
    settings.scoring.profile_timeout_s = TIMEOUT_S
    server = Server(settings, tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def reader(server: Server) -> Reader:
    writer = OnlineWriter(server.settings)
    assert writer.write_profiles([profile_row("c1", T0, 10.0)]) == 1
    assert writer.write_counterpart_risk([CounterpartRow("t1", T0, tiles(T0, 3), 1)]) == 1
    return Reader(ProfileReader(server.settings), server.settings.feast)


def _read(reader: Reader, time_ms: int = T0 + HOUR_MS) -> tuple[bool, bool, bool]:
    """Whether the profile was found, whether the tiles were, and whether the answer is degraded."""
    read = reader.read(["c1"], ["t1"], np.array([time_ms]))
    profiles = read.profiles
    assert np.isnan(profiles.owner[0, 2]) == (profiles.owner_ts_ms[0] == 0)
    assert (profiles.end[0] == profiles.begin[0]) == (profiles.counterpart_ts_ms[0] == 0)
    return bool(profiles.owner_ts_ms[0]), bool(profiles.counterpart_ts_ms[0]), read.degraded


def test_down_and_up_again(server: Server, reader: Reader) -> None:
    assert _read(reader) == (True, True, False)
    server.stop()
    assert _read(reader) == (True, True, True)
    server.start()
    time.sleep(1.05)
    # It kept nothing over its restart: what it says is believed.
    assert _read(reader) == (False, False, False)


def test_never_up_is_unknown_and_degraded(server: Server) -> None:
    server.stop()
    assert _read(Reader(ProfileReader(server.settings), server.settings.feast)) == (False, False, True)


def test_slow_costs_one_time_out_a_second(server: Server, reader: Reader) -> None:
    assert _read(reader) == (True, True, False)
    server.stall()
    start = time.monotonic()
    assert _read(reader) == (True, True, True)
    assert TIMEOUT_S * 0.9 < time.monotonic() - start < TIMEOUT_S + 1
    fastest = TIMEOUT_S
    for _ in range(20):
        start = time.monotonic()
        assert _read(reader) == (True, True, True)
        fastest = min(fastest, time.monotonic() - start)
    assert fastest < TIMEOUT_S / 10, "most batches pay no time-out"
    server.resume()
    time.sleep(1.05)
    # The answer to the read that was given up must not be taken for the answer to the next one.
    read = reader.read(["nobody"], ["t1"], np.array([T0]))
    assert (read.profiles.owner_ts_ms.tolist(), read.profiles.counterpart_ts_ms.tolist(), read.degraded) == ([0], [T0], False)


def test_emptied_is_missing_until_written_again(server: Server, reader: Reader) -> None:
    assert _read(reader) == (True, True, False)
    server.client().flushall()
    assert _read(reader) == (False, False, False)
    OnlineWriter(server.settings).write_profiles([profile_row("c1", T0, 10.0)])
    assert _read(reader) == (True, False, False)


def test_rows_of_the_future_and_of_long_ago(server: Server, reader: Reader) -> None:
    rules = server.settings.feast
    lead_ms = int(rules.profile_max_lead_hours * HOUR_MS)
    assert _read(reader, T0 - lead_ms) == (True, True, False)
    assert _read(reader, T0 - lead_ms - 1) == (False, True, False)
    counted = {"view": "terminal_risk", "reason": "future"}
    before = REGISTRY.get_sample_value("driftloop_profiles_misdated_total", counted) or 0
    assert _read(reader, T0 - int(rules.tiles_max_lead_days * DAY_MS) - 1) == (False, True, False)
    assert REGISTRY.get_sample_value("driftloop_profiles_misdated_total", counted) == before + 1
    age_ms = int(rules.profile_max_age_days * DAY_MS)
    assert _read(reader, T0 + age_ms) == (True, True, False)
    assert _read(reader, T0 + age_ms + 1) == (False, True, False)


def test_the_cache_spares_redis(server: Server) -> None:
    server.settings.feast.cache_s = 60
    writer = OnlineWriter(server.settings)
    writer.write_profiles([profile_row("c1", T0, 10.0)])
    reader = Reader(ProfileReader(server.settings), server.settings.feast)
    _read(reader)
    before = server.client().info("stats")["total_commands_processed"]
    for second in range(50):
        assert _read(reader, T0 + second * 1000) == (True, False, False)
    # The counting itself is a command or three.
    assert server.client().info("stats")["total_commands_processed"] - before < 10
    assert _read(reader, T0 + DAY_MS) == (True, False, False)


def test_wrong_password_is_as_good_as_down(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_REDIS_PASSWORD", "falsch")
    assert _read(Reader(ProfileReader(server.settings), server.settings.feast)) == (False, False, True)


def test_a_refused_read_is_told_and_the_next_one_is_whole(server: Server, reader: Reader) -> None:
    source = ProfileReader(server.settings)
    server.client().set(redis_key(key_prefix("card_id"), "text"), "not a hash")
    with pytest.raises(ProfilesUnavailable, match="WRONGTYPE"):
        source.read(["c1", "text", "c1"], ["t1"])
    profiles = source.read(["c1"], ["t1"])
    assert (profiles.owner_ts_ms.tolist(), profiles.counterpart_ts_ms.tolist()) == ([T0], [T0])
