"""Windows the slow way: for each event, look at every earlier one of its subject."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from features.base.active import DOMAIN, ROLES
from features.base.event import Event


def windows(events: Sequence[Event]) -> list[dict[str, float]]:
    """Count, sum, mean and maximum of the measure by window, as of each event, given those that came before it."""
    unit = DOMAIN.parameters.unit
    came: dict[str, list[tuple[int, int]]] = {}
    rows = []
    for event in events:
        line, event_ms = came.setdefault(event.subject, []), event.event_time_ms
        if getattr(event, "kind", None) not in (None, *ROLES.kinds[:1]):
            # One of another kind is looked at as if it were one, and leaves nothing behind.
            line = list(line)
        # Equal times stay in the order in which they came.
        at = bisect.bisect_right(line, event_ms, key=lambda row: row[0])
        line.insert(at, (event_ms, event.measure))
        row: dict[str, float] = {}
        for name, length in DOMAIN.windows.items():
            inside = [measure for time, measure in line[: at + 1] if time > event_ms - length]
            total = sum(inside) / unit
            row |= {f"count_{name}": len(inside), f"sum_{name}": total, f"mean_{name}": total / len(inside)}
            row[f"max_{name}"] = max(inside) / unit
        rows.append(row)
    return rows
