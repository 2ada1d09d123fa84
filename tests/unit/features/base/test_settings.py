"""Times that no client could keep are refused where they are set."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.base.active import DOMAIN
from features.base.renamed import RENAMED
from features.base.settings import FILE_NAME, SettingsError, load


@pytest.mark.parametrize(("name", "most"), [("profile_timeout_s", 60), ("model_timeout_s", 300)])
def test_a_time_out_has_an_end(tmp_path: Path, name: str, most: int) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(f"[scoring]\n{name} = {most}\n")
    assert getattr(load(tmp_path).scoring, name) == most
    for value in ("1e12", f"{most}.1", "0", "inf", "nan"):
        path.write_text(f"[scoring]\n{name} = {value}\n")
        with pytest.raises(SettingsError, match=rf"scoring\.{name} is .*; write a (finite )?number"):
            load(tmp_path)


ELSEWHERE = 'bootstrap_servers = "kafka.example:9092"\n'


@pytest.mark.parametrize(
    ("text", "copies", "least"),
    [
        ("", 1, 1),
        (ELSEWHERE, 3, 2),
        (ELSEWHERE + "[topics]\nreplication_factor = 1\n", 1, 1),
        (ELSEWHERE + "[topics]\nreplication_factor = 5\n", 5, 4),
        (ELSEWHERE + "[topics]\nmin_insync_replicas = 1\n", 3, 1),
    ],
)
def test_a_cluster_elsewhere_keeps_copies(tmp_path: Path, text: str, copies: int, least: int) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    settings = load(tmp_path)
    assert (settings.replication_factor, settings.min_insync_replicas) == (copies, least)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[topics]\nreplication_factor = 3\n",
            r"topics\.replication_factor is 3, and the platform's own broker is one node",
        ),
        ("[topics]\nmin_insync_replicas = 2\n", r"topics\.min_insync_replicas is 2, more than the 1 copies"),
        (ELSEWHERE + "[topics]\nmin_insync_replicas = 4\n", r"topics\.min_insync_replicas is 4, more than the 3 copies"),
        (ELSEWHERE + "[topics]\nreplication_factor = 0\n", r"topics\.replication_factor is 0; write a number, at least 1"),
    ],
)
def test_copies_that_no_broker_could_keep_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(SettingsError, match=message):
        load(tmp_path)


@pytest.mark.parametrize("old", sorted(RENAMED))
def test_whoever_writes_an_old_name_is_told_the_new_one(tmp_path: Path, old: str) -> None:
    section, name = old.split(".")
    new = RENAMED[old].split(".")
    assert hasattr(getattr(load(tmp_path), new[0]), new[1])
    (tmp_path / FILE_NAME).write_text(f"[{section}]\n{name} = 1\n")
    with pytest.raises(SettingsError, match=rf"{section}\.{name}: it is called {RENAMED[old]} now"):
        load(tmp_path)


def test_the_model_and_the_limit_are_the_domains(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert (settings.model, settings.features.measure_limit) == (DOMAIN.model, DOMAIN.measure_limit)
    (tmp_path / FILE_NAME).write_text('model = "mine"\n[features]\nmeasure_limit = 7\n')
    settings = load(tmp_path)
    assert (settings.model, settings.features.measure_limit) == ("mine", 7)


def test_the_page_for_upgrading_lists_each_old_name() -> None:
    page = (Path(__file__).parents[4] / "docs" / "upgrading.md").read_text()
    assert all(f"| `{old}` | `{new}` |" in page for old, new in RENAMED.items())
