"""Where a publication begins: anew, where an earlier one stopped, or not at all because it is out already."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from features.base.active import WORDS
from features.base.durations import DAY_MS
from infra.cli import context
from infra.errors import PlatformError
from infra.platform import publications
from infra.platform.publications import Kept, Publication

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from features.base.settings import Settings
    from streams.publish.batch import Batch, Labels


class Source(Protocol):
    """What can be published from any of its days on."""

    def batches(self, day: date | None) -> Iterator[Batch]:
        """Yield the batches from a day on, from the first on where none is named."""

    def owed(self, day: date) -> Labels:
        """Return the labels of earlier events that become known on that day or later."""


@dataclass(frozen=True)
class Work:
    """What is asked for. ``days``: a digest of each of its days, by ISO date. ``first``: the first day where one was named.
    ``newest_ms``: its newest event time, and ``newest_label_ms`` that of its labels."""

    command: str
    name: str
    options: Mapping[str, str]
    days: Mapping[str, str]
    source: Source
    first: date | None
    newest_ms: int
    newest_label_ms: int


@dataclass
class Begin:
    """Where to begin: ``day`` is the first to make, of which all before ``after_ms`` is out, and besides it the records of
    ``events`` and ``labels`` (ids). ``pending``: the labels owed from before that day. ``was_killed``: the run before could not
    say how much it published."""

    day: date | None
    kept: Kept
    after_ms: int = 0
    pending: Labels | None = None
    events: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    was_killed: bool = False


def begin(settings: Settings, work: Work, resume: bool, again: bool) -> Begin:
    """Decide where to begin. The publication is kept by then, and its file says that it runs.

    Raises PlatformError where ``resume`` finds nothing to go on with, and where some of it is out already.
    """
    known = publications.read(settings)
    met = [(kept, days) for kept in known if (days := kept.publication.shared(work.days))]
    if resume and met:
        unfinished = [kept for kept, _ in met if kept.publication.state != "complete"]
        return _go_on(settings, work, [*unfinished, met[0][0]][0])
    if met and not again:
        raise PlatformError(_is_out(*met[0]))
    if resume and work.first is None:
        raise PlatformError(
            f"--resume: nothing of {work.name} was published on this platform so far, by "
            f"{settings.dir / publications.FOLDER}; leave --resume out, or name the first day that was not published yet"
        )
    first_ms = publications.day_ms(min(work.days)) if work.days else 0
    publication = Publication(
        command=work.command,
        name=work.name,
        options=dict(work.options),
        days=dict(work.days),
        begun_ms=time.time_ns() // 1_000_000,
        up_to_ms=first_ms,
        owed_from_ms=0 if resume else first_ms,
    )
    pending = work.source.owed(work.first) if resume and work.first is not None else None
    return Begin(work.first, publications.new(settings, publication), pending=pending)


def _is_out(kept: Kept, days: list[str]) -> str:
    publication = kept.publication
    begun = f"{datetime.fromtimestamp(publication.begun_ms / 1000, UTC):%Y-%m-%d %H:%M}"
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    head = (
        f"{span} of it {'is' if len(days) == 1 else 'are'} on this platform already, published on {begun} from {publication.name}"
    )
    if publications.is_held(kept):
        return f"{head}, which still runs in another process; wait for it, or end it and go on with --resume"
    if publication.state != "complete":
        return (
            f"{head}, which stopped half-way, at {when(publication.up_to_ms)}. Go on there with "
            f"{context.called_with('--resume')}; --again publishes all of it once more"
        )
    return (
        f"{head}. Publish only what follows with {context.called_with('--resume')}, or all of it once more with --again: "
        f"{WORDS.events} that are older than scoring.duplicate_horizon_hours are scored a second time then"
    )


def _go_on(settings: Settings, work: Work, kept: Kept) -> Begin:
    publication = kept.publication
    for name in sorted({*publication.options, *work.options}):
        was, asked = publication.options.get(name), work.options.get(name)
        if was != asked:
            raise PlatformError(
                f"--resume: {publication.name} was published with {name} {was or 'left out'}, and {asked or 'nothing'} is asked "
                "for; go on with the same options"
            )
    changed = sorted(day for day in publication.touched() if day in work.days and work.days[day] != publication.days[day])
    if changed:
        raise PlatformError(
            f"--resume: {changed[0]} of {work.name} is not what was published of that day; publish from a later day with "
            "--from and --resume, or all of it with --again"
        )
    after_ms = publication.up_to_ms
    day = datetime.fromtimestamp(after_ms / 1000, UTC).date()
    pending = work.source.owed(day)
    pending = pending.take((pending.label_time_ms >= after_ms) & (pending.event_time_ms >= publication.owed_from_ms))
    publication.days = {**publication.days, **work.days}
    begun = Begin(day, kept, after_ms, pending, was_killed=publication.state == "running")
    publication.state = "running"
    _read_behind(settings, begun)
    return begun


def _read_behind(settings: Settings, begun: Begin) -> None:
    """Read which records came behind the last acknowledged boundary: a run that is killed cannot say."""
    from features.base.events import NAMES_ON_THE_WIRE
    from infra.inspect import tail
    from infra.inspect.decode import decoder
    from streams.topics import EVENTS, LABELS
    from streams.wire import wire

    id_only = msgspec.defstruct("IdOnly", [("event_id", str)], rename={"event_id": NAMES_ON_THE_WIRE["event_id"]})
    values = wire.of(settings)
    for topic, ids in ((EVENTS, begun.events), (LABELS, begun.labels)):
        ends = begun.kept.publication.ends.get(topic, {})
        bounds = tail.bounds(settings, topic)
        moved = set(ends) != set(bounds) or any(ends[p] > high for p, (_, high) in bounds.items())
        within = {p: (low if moved else max(low, ends[p]), high) for p, (low, high) in bounds.items()}
        decode: Callable[[Any], Any] = decoder(id_only, topic, values)
        for seen in tail.scan(settings, topic, within):
            if (event := decode(seen)) is not None:
                ids.add(event.event_id)


def remaining(batches: Iterator[Batch], begun: Begin) -> Iterator[Batch]:
    """Yield the batches without what is out already."""
    for batch in batches:
        if batch.start_ms >= begun.after_ms and not (begun.events or begun.labels):
            yield batch
            continue
        events, labels = batch.transactions, batch.labels
        left = (events.event_time_ms >= begun.after_ms) & ~_among(events.event_id, begun.events)
        yield replace(
            batch,
            start_ms=max(batch.start_ms, begun.after_ms),
            transactions=events.take(left),
            truth=replace(batch.truth, pattern=batch.truth.pattern[left]),
            labels=still_due(labels, begun),
        )


def still_due(labels: Labels, begun: Begin) -> Labels:
    """Return the labels that are not out already."""
    return labels.take((labels.label_time_ms >= begun.after_ms) & ~_among(labels.event_id, begun.labels))


def _among(ids: NDArray[np.object_], out: set[str]) -> NDArray[np.bool_]:
    import numpy as np

    return np.fromiter((i in out for i in ids.tolist()), dtype=np.bool_, count=len(ids))


def when(ms: int) -> str:
    """Return an event time for people."""
    return (
        f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
        if ms % DAY_MS
        else f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d}"
    )
