"""The scrape config."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dashboards import scrape
from features.base.network import Hosts, Network
from features.base.sections import Ports
from features.base.settings import Settings, SettingsError


def test_one_target_a_process_with_its_name() -> None:
    config = yaml.safe_load(scrape.scrape_config(Settings(ports=Ports(metrics={"writers": 2, "scorer": 1, "not yet": 0}))))
    (job,) = config["scrape_configs"]
    assert job["job_name"] == "driftloop"
    assert job["static_configs"] == [
        {"targets": ["127.0.0.1:1"], "labels": {"process": "scorer"}},
        {"targets": ["127.0.0.1:2"], "labels": {"process": "writers"}},
    ]


def test_no_ports_is_an_error_with_the_way_out() -> None:
    with pytest.raises(SettingsError, match="run driftloop up first"):
        scrape.scrape_config(Settings())


def test_command_writes_the_file_into_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scrape.main(["--dir", str(tmp_path)]) == 2
    assert "ports.metrics" in capsys.readouterr().err
    (tmp_path / "driftloop.toml").write_text("[ports.metrics]\nscorer = 4711\n")
    assert scrape.main(["--dir", str(tmp_path)]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == tmp_path / "prometheus.yml"
    assert "127.0.0.1:4711" in path.read_text()


def test_processes_on_other_hosts_are_scraped_there() -> None:
    ports, network = Ports(metrics={"scorer": 1, "writers": 2}), Network(hosts=Hosts(metrics={"scorer": "10.0.0.5"}))
    config = yaml.safe_load(scrape.scrape_config(Settings(ports=ports, network=network)))
    targets = [target["targets"] for target in config["scrape_configs"][0]["static_configs"]]
    assert targets == [["10.0.0.5:1"], ["127.0.0.1:2"]]
