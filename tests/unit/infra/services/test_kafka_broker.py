"""The broker's folder: what made it, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from features.base.settings import Settings, load
from infra.errors import PlatformError
from infra.services import jars, kafka_broker


def formatted(folder: Path, level: int) -> Settings:
    """A platform whose log folder looks as if a Kafka of this level had formatted it."""
    (folder / "driftloop.toml").write_text("[ports]\nkafka = 9092\nkafka_controller = 9093\n")
    log = folder / "kafka" / "log"
    log.mkdir(parents=True)
    (log / "meta.properties").write_text("version=1\n")
    record = b"\x01\x0c\x00\x11metadata.version" + level.to_bytes(2, "big") + b"\x00\x00"
    (log / "bootstrap.checkpoint").write_bytes(b"\x00" * 60 + record + b"\x01\x0c\x00\x0egroup.version\x00\x01")
    return load(folder)


def test_a_folder_that_a_newer_kafka_made_is_refused_at_once(tmp_path: Path) -> None:
    settings = formatted(tmp_path, kafka_broker.LEVEL + 1)
    with pytest.raises(PlatformError, match="newer Kafka") as caught:
        kafka_broker.prepare(settings)
    assert jars.KAFKA in str(caught.value)
    assert str(tmp_path / "kafka" / "log") in str(caught.value)


@pytest.mark.parametrize("level", [kafka_broker.LEVEL, kafka_broker.LEVEL - 3])
def test_a_folder_of_this_kafka_or_an_older_one_is_gone_on_with(tmp_path: Path, level: int) -> None:
    kafka_broker.prepare(formatted(tmp_path, level))
    assert (tmp_path / "kafka" / "server.properties").exists()


def test_a_folder_that_does_not_say_is_left_to_the_broker(tmp_path: Path) -> None:
    settings = formatted(tmp_path, 0)
    (tmp_path / "kafka" / "log" / "bootstrap.checkpoint").unlink()
    kafka_broker.prepare(settings)
    assert kafka_broker.metadata_level(tmp_path / "kafka" / "log") == 0


def test_a_path_of_any_letters_comes_back_as_java_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "Größe \\ und 平台 😀"
    folder.mkdir()
    settings = formatted(folder, kafka_broker.LEVEL)
    kafka_broker.prepare(settings)
    text = (folder / "kafka" / "server.properties").read_text("ascii")
    (line,) = (line for line in text.splitlines() if line.startswith("log.dirs="))
    units = re.sub(r"\\\\|\\u([0-9a-f]{4})", lambda escape: chr(int(escape[1], 16)) if escape[1] else "\\", line)
    read = units.encode("utf-16", "surrogatepass").decode("utf-16")
    assert read == f"log.dirs={folder / 'kafka' / 'log'}"
