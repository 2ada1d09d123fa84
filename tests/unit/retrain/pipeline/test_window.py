from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.base.durations import DAY_MS
from features.base.events import RetrainRequest
from features.base.settings import Settings
from retrain.pipeline.window import NotEnoughData, newest_event_ms, window

NOW = 1_735_689_600_000


def test_the_window_ends_with_the_request_or_the_archive_whichever_is_older() -> None:
    request = RetrainRequest("k", "fraud", "manual", NOW, exclude=[(1, 2)])
    settings = Settings()
    chosen = window(request, settings, NOW - DAY_MS)
    assert chosen.end_ms == NOW - DAY_MS
    assert chosen.start_ms == chosen.end_ms - 60 * DAY_MS
    assert chosen.settled_ms == chosen.end_ms - 7 * DAY_MS
    assert chosen.exclude == ((1, 2),)
    assert window(request, settings, NOW + DAY_MS).end_ms == NOW
    assert chosen.known_ms == NOW, "corrections that came later than the request count for a later one"


def test_the_newest_event_is_looked_up_in_the_last_day_that_has_one(tmp_path: Path) -> None:
    for day, times in (("2025-01-01", [5, 7]), ("2025-01-02", [])):
        folder = tmp_path / f"day={day}"
        folder.mkdir()
        pq.write_table(pa.table({"event_time_ms": pa.array(times, pa.int64())}), folder / "scores-0-1-2.parquet")
    (tmp_path / "day=2025-01-02" / ".hidden.tmp").write_text("half written")
    assert newest_event_ms(tmp_path) == 7


def test_an_empty_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotEnoughData, match="nothing is archived"):
        newest_event_ms(tmp_path)
