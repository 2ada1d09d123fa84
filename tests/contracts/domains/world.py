"""The simulated world of this process's domain: events, labels, truth and vectors, as the suite of domains needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.base.durations import DAY_MS
from features.base.event import Event
from features.base.events import Event as EventOfTheDomain
from features.base.events import Label, Outcome
from features.base.sections import Features, Labels
from features.history.state import SubjectState
from features.transform.columns import Columns, from_events, is_apart
from features.transform.counterpart_tiles import Counterpart
from features.transform.counterpart_tiles import update as count
from features.transform.fill import fill
from features.transform.profiles import Profiles, unknown
from features.transform.update import update
from streams.publish.encode import encode_events, encode_labels
from streams.simulate.simulator import Request, simulator

LIMIT = Features().measure_limit
#: A Monday.
START = date(2026, 1, 5)


@dataclass(frozen=True)
class World:
    """Events in order of time; ``positive`` [n]: what became of them; ``labels`` in order of their time."""

    events: list[Event]
    positive: NDArray[np.bool_]
    labels: list[Label]

    @property
    def own(self) -> NDArray[np.bool_]:
        """Which events are of the kind that is scored and learned from, [n]."""
        return ~is_apart(self.events)

    @property
    def times(self) -> NDArray[np.int64]:
        return np.array([event.event_time_ms for event in self.events])


@cache
def world(
    days: int, subjects: int, counterparts: int = 60, rate: float | None = None, positive_rate: float | None = None, seed: int = 3
) -> World:
    """The first ``days`` of a world."""
    source = simulator(Request(START, seed, subjects, counterparts, positive_rate, rate))
    event, label = msgspec.json.Decoder(EventOfTheDomain).decode, msgspec.json.Decoder(Label).decode
    batches = list(source.days(0, days))
    return World(
        [event(row) for batch in batches for row in encode_events(batch.transactions)],
        np.concatenate([batch.truth.positive for batch in batches]),
        sorted((label(row) for batch in batches for row in encode_labels(batch.labels)), key=lambda entry: entry.label_time_ms),
    )


def late(events: Sequence[Event], share: float = 0.06, seed: int = 1) -> list[Event]:
    """The events as careless producers send them: a share of them comes up to 20 hours behind its time."""
    rng = np.random.default_rng(seed)
    comes = np.array([event.event_time_ms for event in events]) + np.where(
        rng.random(len(events)) < share, rng.uniform(0, 20 / 24 * DAY_MS, len(events)), 0
    )
    return [events[i] for i in np.argsort(comes, kind="stable").tolist()]


def streamed(events: Sequence[Event]) -> NDArray[np.float32]:
    """Vectors as the stream makes them before it reads Feast, [n, WIDTH]."""
    return update(SubjectState(), from_events(events), LIMIT)


def vectors(known: World, labels: Labels) -> NDArray[np.float32]:
    """Vectors with what is known of the counterparts as of each event; nobody has a profile."""
    columns = from_events(known.events)
    features = update(SubjectState(), columns, LIMIT)
    fill(features, columns, _counterparts(known, columns), labels.delay_ms, labels.step_hours)
    return features


def _counterparts(known: World, columns: Columns) -> Profiles:
    """The tiles of all outcomes: a reading stops at its horizon by itself."""
    state: dict[str, Counterpart] = {}
    count(
        state,
        (_outcome(event, bool(yes)) for event, yes, own in zip(known.events, known.positive, known.own, strict=True) if own),
    )
    # One that was only ever given money back has no outcome.
    state.update((event.counterpart, Counterpart()) for event in known.events if event.counterpart not in state)
    names = list(state)
    tiles = [state[name].tiles for name in names]
    ends = np.cumsum([len(part) for part in tiles])
    place = {name: i for i, name in enumerate(names)}
    at = np.array([place[event.counterpart] for event in known.events])
    empty = unknown(len(columns))
    begins = ends - [len(part) for part in tiles]
    return Profiles(
        empty.owner, empty.usual, empty.owner_ts_ms, np.concatenate(tiles), begins[at], ends[at], columns.event_time_ms
    )


def _outcome(event: Event, positive: bool) -> Outcome:
    at = event.event_time_ms
    return Outcome(event.event_id, event.subject, event.counterpart, at, at, positive, "matured", event.measure, unusual=False)
