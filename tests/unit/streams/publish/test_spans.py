from __future__ import annotations

import pytest

from streams.publish.spans import parse_span, parse_speed


def test_spans_and_speeds() -> None:
    assert parse_span("1d", "--lockstep") == 86_400_000
    assert parse_span("6h", "--lockstep") == 21_600_000
    assert parse_span("30m", "--lockstep") == 1_800_000
    assert parse_speed("max") is None
    assert parse_speed("3600") == 3600.0
    assert parse_speed("2.5x") == 2.5


@pytest.mark.parametrize("text", ["", "0d", "1w", "1.5d", "-1d", "d"])
def test_a_wrong_span_names_its_field(text: str) -> None:
    with pytest.raises(ValueError, match="--lockstep is"):
        parse_span(text, "--lockstep")


@pytest.mark.parametrize("text", ["", "fast", "0", "-1", "nan", "inf"])
def test_a_wrong_speed_names_its_field(text: str) -> None:
    with pytest.raises(ValueError, match="--speed is"):
        parse_speed(text)
