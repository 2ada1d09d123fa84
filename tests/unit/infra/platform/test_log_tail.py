from __future__ import annotations

from pathlib import Path

from infra.platform.log_tail import Follower, last_lines


def test_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    assert last_lines(log, 3) == []
    log.write_text("".join(f"{i}\n" for i in range(100_000)))
    assert last_lines(log, 2) == ["99998", "99999"]
    assert last_lines(log, 0) == []


def test_a_follower_gives_whole_new_lines_once(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("old\n")
    follower = Follower(log)
    assert follower.new_lines() == []
    with log.open("a") as file:
        file.write("one\ntw")
        file.flush()
        assert follower.new_lines() == ["one"]
        file.write("o\n")
    assert follower.new_lines() == ["two"]


def test_a_follower_goes_on_in_the_new_file_after_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("old\n")
    follower = Follower(log)
    log.rename(tmp_path / "x.log.1")
    assert follower.new_lines() == []
    log.write_text("new\n")
    assert follower.new_lines() == ["new"]
