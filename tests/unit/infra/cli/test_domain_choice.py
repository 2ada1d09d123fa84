"""A platform names its domain; commands serve it before any module of a domain is loaded, and another one is refused."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from features.base import identity
from features.base.identity import Identity
from features.base.settings import FILE_NAME, SettingsError, domain_in, load
from infra.cli import main

ROOT = Path(__file__).parents[4]
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
    assert re.fullmatch(rf"{tmp_path}/compiled/clicks-[0-9a-f]{{10}}", clicks[1])
    # A child of a process of another domain inherits its environment.
    cards = child("-c", SERVES, NUMBA_CACHE_DIR=clicks[1], **own).stdout.split()
    assert re.fullmatch(rf"{tmp_path}/compiled/card_fraud-[0-9a-f]{{10}}", cards[1])
    # Another window, which no source of a compiled function shows.
    (tmp_path / "longer.py").write_text(
        "from dataclasses import replace\nfrom features.domains.clicks import DOMAIN\n"
        "DOMAIN = replace(DOMAIN, windows=DOMAIN.windows | {'30d': 60 * 86_400_000})\n"
    )
    longer = child(
        "-c", SERVES, DRIFTLOOP_DOMAIN="longer:DOMAIN", PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}", **own
    ).stdout.split()
    assert longer[0] == "clicks"
    assert longer[1] != clicks[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("event=dict", "event is <class 'dict'>; give a class made of features.base.event.Event"),
        ("topic='scores'", "topic is 'scores', which is one of driftloop's own"),
        ("topic='a b'", "topic is called 'a b'"),
        ("labels=replace(DOMAIN.labels, sources=())", "labels.sources is empty"),
        ("measure_limit=-5", "measure_limit is -5; it must be above zero"),
        ("parameters=replace(DOMAIN.parameters, unit=0)", "parameters.unit is 0; it must be above zero"),
        ("fallback=replace(DOMAIN.fallback, threshold=7)", "fallback.threshold is 7; give 0 to 1"),
        ("features=None", "TypeError"),
    ],
)
def test_a_domain_that_contradicts_itself_is_one_line(tmp_path: Path, change: str, message: str) -> None:
    (tmp_path / "mine.py").write_text(
        f"from dataclasses import replace\nfrom features.domains.clicks import DOMAIN\nDOMAIN = replace(DOMAIN, {change})\n"
    )
    (tmp_path / FILE_NAME).write_text('domain = "mine:DOMAIN"\n')
    done = child("-m", "infra.cli.main", "--dir", str(tmp_path), "features", "list", PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("driftloop: domain clicks: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_module_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def (")
    (tmp_path / FILE_NAME).write_text('domain = "mine:DOMAIN"\n')
    done = child("-m", "infra.cli.main", "--dir", str(tmp_path), "features", "list", PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert done.returncode == 2
    assert done.stderr.startswith("driftloop: domain = 'mine:DOMAIN' cannot be loaded (SyntaxError: ")


def test_a_folder_keeps_the_domain_and_the_prefix_of_its_first_start(tmp_path: Path) -> None:
    identity.keep(tmp_path, Identity("clicks", "shop."))
    identity.keep(tmp_path, Identity("card_fraud"))
    assert identity.read(tmp_path) == Identity("clicks", "shop.")
    with pytest.raises(SettingsError, match=r"was made with domain = 'clicks', .* domain is 'card_fraud' now: take it back"):
        load(tmp_path)
    assert identity.refusal(tmp_path, Identity("clicks", "bank.")).endswith(
        "topic_prefix is 'bank.' now: take it back, or choose another folder with --dir"
    )
    assert identity.refusal(tmp_path, Identity("clicks", "shop.")) == ""


def test_the_demo_is_of_card_fraud(tmp_path: Path) -> None:
    done = child("-m", "infra.cli.main", "--dir", str(tmp_path / "demo"), "demo", DRIFTLOOP_DOMAIN="clicks")
    assert done.returncode == 2
    assert "the demo tells a story of card_fraud, and this process serves clicks" in done.stderr
    assert not (tmp_path / "demo").exists()
