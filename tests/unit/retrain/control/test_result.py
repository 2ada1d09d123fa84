"""Reading result.json."""

from __future__ import annotations

from pathlib import Path

from retrain.control.result import FILE_NAME, read


def test_a_result_with_fields_of_its_own(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(
        '{"state": "registered", "version": "v3", "metrics": {"ap": 0.5, "roc": null}, "seconds": {"train": 3}}'
    )
    result = read(tmp_path)
    assert result is not None
    assert (result.state, result.version, result.metrics) == ("registered", "v3", {"ap": 0.5, "roc": None})


def test_no_result(tmp_path: Path) -> None:
    assert read(tmp_path) is None


def test_a_broken_result_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('{"state": "splendid"}')
    result = read(tmp_path)
    assert result is not None
    assert result.state == "failed"
    assert "splendid" in result.reason
