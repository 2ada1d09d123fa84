"""How the inspecting commands print."""

from __future__ import annotations

import json

import pytest

from infra.inspect import show


def test_times_are_utc() -> None:
    assert show.when(1_767_225_600_000) == "2026-01-01 00:00:00"
    assert show.when(None) == show.when(0) == "-"


def test_numbers() -> None:
    assert show.figure(0.12345) == "0.123"
    assert show.figure(None) == "-"
    assert show.measure(123_456, "EUR") == "1,234.56 EUR"
    assert show.measure(None, "EUR") == "-"


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (5000, "JPY", "5,000 JPY"),
        (12_345, "KWD", "12.345 KWD"),
        (5, "KWD", "0.005 KWD"),
        (0, "JPY", "0 JPY"),
        (100_000_000_00, "EUR", "100,000,000.00 EUR"),
        (12_345, "CLF", "1.2345 CLF"),
        (5000, "ABC", "5,000 of the smallest part of ABC"),
        (1250, None, "12.50 currency units"),
    ],
)
def test_amounts_have_the_places_of_their_currency(minor: int, currency: str | None, shown: str) -> None:
    assert show.measure(minor, currency) == shown


def test_a_piped_table_keeps_its_lines_whole_and_takes_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    show.table(("name", ">value"), [("x" * 150, "[red]1[/red]")], "nothing")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[2].split() == ["x" * 150, "[red]1[/red]"]


def test_an_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    show.table(("name",), [], "nothing yet")
    assert capsys.readouterr().out == "nothing yet\n"


def test_control_characters_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert show.printable("a\x1b[2Jb\x9b\nç") == "a\\x1b[2Jb\\x9b\nç"
    show.table(("name",), [("\x1b]0;title\x07",)], "")
    assert "\x1b" not in capsys.readouterr().out


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    show.document({"a": [1]})
    show.line({"b": 2})
    out = capsys.readouterr().out
    assert json.loads(out[: out.index("}") + 1]) == {"a": [1]}
    assert out.endswith('\n{"b":2}\n')


@pytest.mark.parametrize(("columns", "term"), [("7", ""), ("7", "dumb"), ("x", "xterm")])
def test_a_pipe_is_wide_whatever_the_environment_says(columns: str, term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", term)
    assert show.console().width == 200


@pytest.mark.parametrize(("columns", "width"), [("7", 80), ("120", 120)])
def test_a_terminal_is_no_narrower_than_a_table(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", "25")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert show.console().width == width
