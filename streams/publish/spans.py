"""Spans of event time and speeds, as they are written on a command line."""

from __future__ import annotations

import math
import re

from features.base.durations import DAY_MS, HOUR_MS, MINUTE_MS

_UNIT_MS = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}


def parse_span(text: str, field: str) -> int:
    """Read ``1d``, ``6h``, ``30m`` as ms. Raises ValueError, naming ``field``."""
    match = re.fullmatch(r"(\d{1,5})([mhd])", text.strip())
    if match is None or int(match[1]) == 0:
        raise ValueError(f"{field} is {text!r}; write a whole number and m, h or d, as in 1d or 6h")
    return int(match[1]) * _UNIT_MS[match[2]]


def parse_speed(text: str) -> float | None:
    """Read ``max`` as None, else the real-time factor. Raises ValueError, naming the field."""
    if text == "max":
        return None
    try:
        factor = float(text.removesuffix("x"))
    except ValueError:
        factor = math.nan
    if not math.isfinite(factor) or factor <= 0:
        raise ValueError(f"--speed is {text!r}; write max, or how many times faster than real time, as in 3600")
    return factor
