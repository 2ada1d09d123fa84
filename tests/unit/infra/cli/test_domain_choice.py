"""A platform names its domain; commands serve it before any module of a domain is loaded, and another one is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from features.base.settings import FILE_NAME, SettingsError, domain_in, load
from infra.cli import main

CLICKS = 'domain = "clicks"\n'
SERVES = "from features.base.active import DOMAIN; import numba; print(DOMAIN.name, numba.config.CACHE_DIR)"


def child(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name not in ("DRIFTLOOP_DOMAIN", "NUMBA_CACHE_DIR")}
    return subprocess.run(
        [sys.executable, "-P", *arguments], env={**env, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


def test_commands_serve_the_domain_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(CLICKS)
    done = child(
        "-m",
        "infra.cli.main",
        "--dir",
        str(tmp_path),
        "simulate",
        "--days",
        "1",
        "--subjects",
        "20",
        "--out",
        str(tmp_path / "x.jsonl"),
    )
    assert done.returncode == 0, done.stderr
    assert '"dwell_ms"' in (tmp_path / "x.jsonl").read_text()


def test_the_environment_does_not_overrule_the_folder(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(CLICKS)
    done = child("-m", "infra.cli.main", "--dir", str(tmp_path), "topology", DRIFTLOOP_DOMAIN="card_fraud")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "domain is 'clicks', and this process serves 'card_fraud'" in done.stderr


def test_a_domain_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('domain = "no_such"\n')
    done = child("-m", "infra.cli.main", "--dir", str(tmp_path), "simulate", "--days", "1")
    assert done.returncode == 2
    assert done.stderr.startswith("driftloop: domain = 'no_such' cannot be loaded")
    assert done.stderr.count("\n") == 1


def test_a_process_that_serves_a_domain_refuses_the_folder_of_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DRIFTLOOP_DOMAIN", raising=False)
    (tmp_path / FILE_NAME).write_text(CLICKS)
    with pytest.raises(SettingsError, match="domain is 'clicks', and this process serves 'card_fraud'"):
        load(tmp_path)
    assert main.run(["--dir", str(tmp_path), "topology"]) == 2
    assert "choose another folder with --dir" in capsys.readouterr().err
    assert "DRIFTLOOP_DOMAIN" not in os.environ


def test_a_folder_that_names_none_serves_card_fraud(tmp_path: Path) -> None:
    assert domain_in(tmp_path) is None
    assert load(tmp_path).domain == "card_fraud"
    (tmp_path / FILE_NAME).write_text("domain = [")
    assert domain_in(tmp_path) is None


def test_what_is_compiled_for_a_domain_lies_apart(tmp_path: Path) -> None:
    """Its windows are constants in it that numba does not look at when it loads what it has compiled."""
    own = {"DRIFTLOOP_CACHE": str(tmp_path)}
    clicks = child("-c", SERVES, DRIFTLOOP_DOMAIN="clicks", **own).stdout.split()
    assert clicks == ["clicks", str(tmp_path / "compiled" / "clicks")]
    # A child of a process of another domain inherits its environment.
    assert child("-c", SERVES, NUMBA_CACHE_DIR=clicks[1], **own).stdout.split() == ["card_fraud"]
    users = child("-c", SERVES, NUMBA_CACHE_DIR="/somewhere", **own).stdout.split()
    assert users == ["card_fraud", "/somewhere"]
