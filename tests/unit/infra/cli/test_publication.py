"""Where a publication begins, decided without a broker: what the topics hold is given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from features.base.durations import DAY_MS, HOUR_MS
from features.base.settings import Settings, load
from infra.cli import context, publication
from infra.cli.notes import Notes
from infra.cli.publication import Begin, Work, begin, remaining, still_due
from infra.errors import PlatformError
from infra.platform import publications
from streams.publish.batch import Batch, Labels, concat_labels
from streams.simulate.card_fraud.options import Options
from streams.simulate.card_fraud.simulation import Simulation

START = date(2026, 1, 5)
SIMULATION = Simulation(Options(cards=60, terminals=40, fraud_rate=0.3, start=START))
START_MS = SIMULATION.options.start_ms


class Days:
    """Days of the simulation as a source."""

    def __init__(self, days: int) -> None:
        self.days = days

    def batches(self, day: date | None) -> Iterator[Batch]:
        return SIMULATION.days(0 if day is None else (day - START).days, self.days)

    def owed(self, day: date) -> Labels:
        return SIMULATION.pending_labels((day - START).days)


def work(length: int = 6, **changed: object) -> Work:
    digests = {(START + timedelta(n)).isoformat(): f"day {n}" for n in range(length)}
    made = Work("replay", "f.parquet", {"--currency": "EUR"}, digests, Days(length), None, START_MS + length * DAY_MS, 0)
    return replace(made, **changed)  # type: ignore[arg-type] # each of its field's type


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(publication, "_read_behind", lambda *_: None)
    context.called(["replay", "my file.parquet", "--lockstep", "1d"])
    return load(tmp_path)


def stopped(settings: Settings, up_to_ms: int, days: int = 6, state: publications.State = "stopped") -> publications.Kept:
    """A publication of the same days that came so far."""
    begun = begin(settings, work(days), resume=False, again=False)
    begun.kept.publication.up_to_ms, begun.kept.publication.state = up_to_ms, state
    begun.kept.publication.events = 10
    begun.kept.write()
    return begun.kept


def test_what_is_out_is_refused_with_both_ways_out(settings: Settings) -> None:
    stopped(settings, START_MS + 3 * DAY_MS)
    with pytest.raises(PlatformError) as caught:
        begin(settings, work(), resume=False, again=False)
    output = str(caught.value)
    assert "2026-01-05 to 2026-01-08 of it are on this platform already" in output
    assert "stopped half-way, at 2026-01-08" in output
    assert "driftloop replay 'my file.parquet' --lockstep 1d --resume" in output
    assert "--again" in output
    assert begin(settings, work(), resume=False, again=True).after_ms == 0


def test_a_finished_one_is_refused_too_and_days_that_follow_are_taken(settings: Settings) -> None:
    stopped(settings, START_MS + 6 * DAY_MS, state="complete")
    with pytest.raises(PlatformError, match=r"2026-01-05 to 2026-01-10 of it are on this platform already.*--again"):
        begin(settings, work(8, name="other name.csv"), resume=False, again=False)
    longer = begin(settings, work(8), resume=True, again=False)
    assert longer.day == date(2026, 1, 11)
    assert longer.after_ms == START_MS + 6 * DAY_MS
    later = {day: digest for day, digest in work(8).days.items() if day > "2026-01-10"}
    assert begin(settings, work(8, days=later), resume=False, again=False).after_ms == 0


def test_other_days_of_the_same_dates_are_others(settings: Settings) -> None:
    stopped(settings, START_MS + 6 * DAY_MS, state="complete")
    other = {day: f"another {digest}" for day, digest in work().days.items()}
    assert begin(settings, work(days=other), resume=False, again=False).after_ms == 0


def test_going_on_needs_the_same_options_and_the_same_days(settings: Settings) -> None:
    stopped(settings, START_MS + 3 * DAY_MS)
    with pytest.raises(PlatformError, match=r"published with --currency EUR, and USD is asked for; go on with the same options"):
        begin(settings, work(options={"--currency": "USD"}), resume=True, again=False)
    changed = {**work().days, "2026-01-06": "mended"}
    with pytest.raises(PlatformError, match=r"2026-01-06 of f.parquet is not what was published of that day"):
        begin(settings, work(days=changed), resume=True, again=False)
    mended = {**work().days, "2026-01-10": "mended"}
    assert begin(settings, work(days=mended), resume=True, again=False).day == date(2026, 1, 8)


def test_nothing_to_go_on_with(settings: Settings) -> None:
    with pytest.raises(PlatformError, match=r"--resume: nothing of f.parquet was published on this platform so far"):
        begin(settings, work(), resume=True, again=False)
    owing = begin(settings, work(first=START + timedelta(2)), resume=True, again=False)
    assert owing.pending is not None
    assert len(owing.pending)
    assert owing.kept.publication.owed_from_ms == 0


@pytest.mark.parametrize("after_ms", [START_MS, START_MS + 2 * DAY_MS, START_MS + 2 * DAY_MS + 6 * HOUR_MS])
@pytest.mark.parametrize("behind", [0, 7])
def test_what_remains_and_what_is_out_are_all_of_it_once(settings: Settings, after_ms: int, behind: int) -> None:
    """Cut anywhere, with records behind the boundary that a killed run could not tell of."""
    kept = stopped(settings, after_ms)
    whole = list(SIMULATION.days(0, 6))
    events = [i for b in whole for i in b.transactions.event_id.tolist()]
    labels = concat_labels([batch.labels for batch in whole])
    out = {i for b in whole for i, t in zip(b.transactions.event_id, b.transactions.event_time_ms, strict=True) if t < after_ms}
    labelled = set(labels.event_id[labels.label_time_ms < after_ms].tolist())
    begun = begin(settings, work(), resume=True, again=False)
    assert begun.kept.path == kept.path
    extra = [i for i in events if i not in out][:behind]
    extra_labels = [i for i, t in zip(labels.event_id, labels.label_time_ms, strict=True) if t >= after_ms][:behind]
    begun.events.update(extra)
    begun.labels.update(extra_labels)

    left = list(remaining(Days(6).batches(begun.day), begun))
    assert begun.pending is not None
    owed = still_due(begun.pending, begun)
    assert [i for b in left for i in b.transactions.event_id.tolist()] == [i for i in events if i not in out | set(extra)]
    again = [*owed.event_id.tolist(), *(i for b in left for i in b.labels.event_id.tolist())]
    assert len(again) == len(set(again))
    assert set(again) == set(labels.event_id.tolist()) - labelled - set(extra_labels)
    assert all(len(b.truth.pattern) == len(b.transactions) for b in left)


def test_labels_of_events_that_were_never_asked_for_are_not_owed(settings: Settings) -> None:
    """A run that began with --from, without --resume, owes nothing of the days before."""
    later = {day: digest for day, digest in work().days.items() if day >= "2026-01-07"}
    begun = begin(settings, work(days=later, first=date(2026, 1, 7)), resume=False, again=False)
    begun.kept.publication.up_to_ms += DAY_MS
    begun.kept.write()
    gone_on = begin(settings, work(days=later, first=date(2026, 1, 7)), resume=True, again=False)
    assert gone_on.pending is not None
    assert len(gone_on.pending)
    assert int(gone_on.pending.event_time_ms.min()) >= START_MS + 2 * DAY_MS


def test_one_process_publishes_it_at_a_time(settings: Settings) -> None:
    kept = stopped(settings, START_MS + DAY_MS, state="running")
    with publications.holding(kept):
        with pytest.raises(PlatformError, match=r"still runs in another process"):
            begin(settings, work(), resume=False, again=False)
        with pytest.raises(PlatformError, match=r"being published by another process"), publications.holding(kept):
            pass
    with pytest.raises(PlatformError, match=r"stopped half-way"):
        begin(settings, work(), resume=False, again=False)


def test_what_a_killed_run_left_is_kept_where_the_next_one_fails_at_once(settings: Settings) -> None:
    """It had published something, and noted nothing of it yet."""
    kept = stopped(settings, START_MS, state="running")
    kept.publication.events = 0
    kept.write()
    gone_on = begin(settings, work(), resume=True, again=False)
    assert "at least 0 payments and 0 labels are published. Go on exactly there with" in Notes(settings, gone_on).stopped()
    assert kept.path.exists()
    anew = begin(settings, work(), resume=False, again=True)
    anew.kept.write()
    assert "Nothing was published: the same command may be given again" in Notes(settings, anew).stopped()
    assert not anew.kept.path.exists()


def test_a_damaged_file_is_named(settings: Settings) -> None:
    kept = stopped(settings, START_MS)
    kept.path.write_text("{")
    with pytest.raises(PlatformError, match=r"is damaged"):
        begin(settings, work(), resume=False, again=False)


def test_event_times_for_people() -> None:
    assert publication.when(START_MS) == "2026-01-05"
    assert publication.when(START_MS + HOUR_MS) == "2026-01-05 01:00 UTC"
    assert publications.day_ms("2026-01-05") == int(datetime(2026, 1, 5, tzinfo=UTC).timestamp() * 1000)
    assert Begin(None, publications.Kept(Path(), None)).after_ms == 0  # type: ignore[arg-type] # nothing of it is asked
