"""Results become tables between the document's marks; goals say by how much they are met."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.backfill import watch
from benchmarks.backfill.report import Result as Backfill
from benchmarks.backfill.report import Row as Engine
from benchmarks.common import Machine, Spread, goal, machine, read, spread, write
from benchmarks.feast.report import Result as Online
from benchmarks.feast.report import Row as Calls
from benchmarks.marks import begin, end
from benchmarks.rolling.agreement import Agreement
from benchmarks.transform.report import Ours, Peer
from benchmarks.transform.report import Result as Transform

AGREED = Agreement(columns=49, values=1_000_000, differing=3, largest=5.9e-08, worst="std_7d")
HERE = Machine("a processor", 2, 23.4, "Linux x86_64", "3.11.7", "2026-11-23", 0.25)


def transform() -> Transform:
    rate = Spread(600_000.0, 590_000.0, 610_000.0, 5)
    slow = Spread(40_000.0, 39_000.0, 41_000.0, 3)
    same = Spread(800_000.0, 700_000.0, 900_000.0, 3)
    ours = Ours("file.parquet", 5_000, 900_000, 170.0, 14_300, 83, rate)
    peers = [
        Peer("pandas, customer by customer", "as in the Handbook", 49, "", 64_580, slow, same, False, AGREED),
        Peer("river, variance only", "`Var`", 42, "max", 20_000, Spread(16_000.0, 9e3, 2e4, 5), same, True, AGREED),
        Peer("river, one statistic each", "`TimeRolling`", 42, "max", 20_000, Spread(1e4, 9e3, 1.1e4, 5), same, False, AGREED),
    ]
    return Transform(HERE, 2_000, [ours], Spread(1_200_000.0, 1e6, 1.3e6, 5), peers, 1_950.0)


def online() -> Online:
    rows = [Calls(way, 64, 100, p50, 2 * p50, p50) for way, p50 in (("ours", 0.5), ("feast", 4.0), ("redis-py", 0.2))]
    return Online(HERE, 20_000, 20_000, 423.0, 398.0, rows, rows)


def backfill() -> Backfill:
    engines = [
        Engine("spark", 83, 2, 40.0, 8.0, 32.0, 60.0, 1_800.0),
        Engine("transform", 83, 1, 9.0, 2.0, 7.0, 8.0, 800.0),
        Engine("polars", 49, 2, 4.0, 1.0, 3.0, 5.0, 900.0, AGREED),
    ]
    return Backfill(HERE, "file.parquet", 1_303_778, True, engines)


def test_the_document_gets_every_table_and_keeps_the_rest(tmp_path: Path) -> None:
    results = tmp_path / "results"
    document = tmp_path / "page.md"
    marks = "".join(f"{begin(name)}\nold\n{end(name)}\nbetween\n" for name in report.SECTIONS)
    document.write_text(f"before\n{marks}after\n", encoding="utf-8")
    write(transform(), results / "transform.json")
    write(online(), results / "feast.json")
    write(backfill(), results / "backfill.json")
    assert read(results / "transform.json", Transform) == transform()

    assert report.main([str(document)], results) == 0

    text = document.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert text.count("\nold\n") == 7, "the streams and the wire have no result here"
    assert text.count("between\n") == len(report.SECTIONS)
    assert text.count("Measured on 2026-11-23: a processor, 2 cores") == 3
    assert "| file.parquet | 5,000 | 900,000 | 170 | 14.3 kB | 83 | 600,000 | 590,000 - 610,000 |" in text
    assert "400,000 events / CPU s" in text, "with the decoding"
    assert "| 64,580 | 40,000 | 39,000 - 41,000 | 800,000 | 700,000 - 900,000 | 20.0x |" in text
    assert "- Goal, against pandas, customer by customer, on the same events, >= 20x: 20.00x, reached" in text
    assert "- Goal, against river, one statistic each, on the same events, >= 50x: 80.00x, reached (1.60 times the goal)." in text
    assert "30 days, <= 2,000 bytes: 1,950, reached (0.97 of the goal)." in text
    assert "- Tuned, which the goals do not name: against river, variance only, 50.00x." in text
    assert "- Goal, reads of 64 against Feast's SDK, >= 5x: 8.00x, reached (1.60 times the goal)." in text
    assert "- Goal, writes of 64 as a share of plain redis-py, >= 0.5: 0.40, MISSED (0.80 of the goal)." in text
    assert "| the backfill job in Spark, 2 threads | 83 | 40.0 | 8.0 | 32.0 | 60.0 | 1,800 | 20,372 | 21,730 |" in text
    assert "Wall time, Spark against polars: 10.0 times as slow." in text

    again = document.read_text(encoding="utf-8")
    assert report.main([str(document)], results) == 0
    assert document.read_text(encoding="utf-8") == again


def test_a_document_without_marks_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = tmp_path / "page.md"
    document.write_text("no marks", encoding="utf-8")
    write(transform(), tmp_path / "transform.json")
    assert report.main([str(document)], tmp_path) == 2
    assert report.main([str(tmp_path / "none.md")], tmp_path) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "lacks the lines <!-- transform: begin" in lines[0]


def test_goals_and_spreads() -> None:
    assert goal("events", 400_000, 500_000, "").endswith(">= 500,000: 400,000, MISSED (0.80 of the goal).")
    assert spread([3.0, 1.0, 2.0, 10.0]) == Spread(2.5, 1.0, 10.0, 4)
    assert machine().cores >= 1


def test_what_a_process_and_its_children_use_is_seen() -> None:
    busy = "import sys, time\nb = bytearray(50_000_000)\nwhile time.process_time() < 0.6: pass\nprint('done')"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {busy!r}], check=True)"
    used = watch.run([sys.executable, "-c", parent])
    assert used.output == "done\n"
    assert used.cpu_s > 0.4
    assert used.peak_mib > 50
    with pytest.raises(RuntimeError, match="exit code 3"):
        watch.run([sys.executable, "-c", "raise SystemExit(3)"])
