"""What the pipeline writes is what control reads."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec

from retrain.pipeline.result import FILE_NAME, Result, read_result, write_result


def test_a_result_is_read_as_it_was_written_and_what_is_not_a_number_as_unknown(tmp_path: Path) -> None:
    result = Result(
        state="registered",
        version="v3",
        previous="v2",
        reason="good",
        metrics={"ap": 0.5, "roc_auc": math.nan},
        serving="shadow",
        run_id="r1",
        seconds={"train": 3.0, "total": 9.0},
        cpu_seconds={"train": 4.0},
        peak_rss_mb={"train": 512.0},
    )
    write_result(tmp_path, result)
    assert read_result(tmp_path) == msgspec.structs.replace(result, metrics={"ap": 0.5, "roc_auc": None})
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_a_result_with_fields_of_its_own(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(
        '{"state": "registered", "version": "v3", "metrics": {"ap": 0.5, "roc": null}, "seconds": {"train": 3}, "machine": "m1"}'
    )
    result = read_result(tmp_path)
    assert result is not None
    assert (result.state, result.version, result.metrics) == ("registered", "v3", {"ap": 0.5, "roc": None})


def test_no_result(tmp_path: Path) -> None:
    assert read_result(tmp_path) is None


def test_a_broken_result_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('{"state": "splendid"}')
    result = read_result(tmp_path)
    assert result is not None
    assert result.state == "failed"
    assert "splendid" in result.reason
