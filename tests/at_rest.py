"""Tables that are at rest before the first event is scored, and know more than most events may see.

Outcomes of simulated payments go through counterpart-risk's core, and habits of each card are the profile job's. What a
vector then holds is a function of its event and of these tables, whenever it was scored, so online and offline must agree. Left
out by construction is what they are known to tell apart (docs/jobs.md):

- labels later than the delay: tiles at rest know them, and a join as of the event does not;
- tiles that the processor has forgotten: a terminal's outcomes lie within what it keeps;
- several profiles of a card: online has the newest only. An older one here has reached its maximum age before the card's first
  event;
- profiles newer than an event by less than their allowed lead (a day), which are used online: no event of a card lies there.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from features.base.durations import DAY_MS, HOUR_MS
from features.base.events import Label, Outcome
from features.base.feast_settings import Feast
from features.base.sections import Labels as LabelSettings
from features.base.settings import Settings
from features.domains.card_fraud.event import Payment
from features.jobs.daily_profiles import PRESENT, Habits
from features.jobs.publish_profiles import newest
from features.offline.point_in_time import append_counterpart_risk, write_profiles_offline
from features.online.store import CounterpartRow, OnlineWriter, ProfileRow
from features.transform.counterpart_tiles import empty, keep_hours
from features.transform.profiles import PROFILE_WIDTH, USUAL_WIDTH, Profiles
from streams import topics
from streams.kafka.records import Record
from streams.writers.counterpart_risk import CounterpartRisk, PartitionRows

_BATCH, _PARTITIONS = 5000, 2


@dataclass(frozen=True)
class Tables:
    """Customer profiles, and the counterpart-risk processor's rows; ``known_ms``: newest outcome time of each terminal."""

    profiles: list[ProfileRow]
    risk: list[PartitionRows]
    known_ms: dict[str, int]

    def write(self, settings: Settings) -> None:
        """Into the offline store and Redis, by the writers of both. ``features.feast_repo.store.apply`` has been run."""
        self.write_offline(settings)
        writer = OnlineWriter(settings)
        writer.write_profiles(self.profiles)
        for part in self.risk:
            writer.write_counterpart_risk(part.counterparts)
        writer.close()

    def write_offline(self, settings: Settings) -> None:
        """Into the offline store alone."""
        write_profiles_offline(settings, self.profiles, "profiles")
        for part in self.risk:
            append_counterpart_risk(settings, part.earlier + part.counterparts, part.partition, part.last)


class Newest:
    """What the online store would give of tables, without Redis: a ``features.online.cached_reader.Source``."""

    def __init__(self, tables: Tables) -> None:
        self._profiles = {row.subject: row for row in newest(tables.profiles)}
        self._risk = {row.counterpart: row for part in tables.risk for row in part.counterparts}

    def read(self, subjects: Sequence[str], counterparts: Sequence[str]) -> Profiles:
        """The newest row of each."""
        nobody = ProfileRow("", 0, np.full(PROFILE_WIDTH, np.nan, np.float32), np.zeros(USUAL_WIDTH, np.int64))
        nowhere = CounterpartRow("", 0, empty())
        people = [self._profiles.get(subject, nobody) for subject in subjects]
        places = [self._risk.get(counterpart, nowhere) for counterpart in counterparts]
        sizes = np.array([len(row.tiles) for row in places], dtype=np.int64)
        end = np.cumsum(sizes)
        return Profiles(
            np.array([row.profile for row in people], dtype=np.float32).reshape(-1, PROFILE_WIDTH),
            np.array([row.usual for row in people], dtype=np.int64).reshape(-1, USUAL_WIDTH),
            np.array([row.event_time_ms for row in people], dtype=np.int64),
            np.concatenate([row.tiles for row in places] or [empty()]),
            end - sizes,
            end,
            np.array([row.event_time_ms for row in places], dtype=np.int64),
        )


def tables(events: Sequence[Payment], labels: Sequence[Label], how: LabelSettings, rules: Feast) -> Tables:
    """For the stream of ``events``. One card in ten and one terminal in ten stay unknown."""
    known = outcomes(events, labels, how)
    core = CounterpartRisk(how.delay_ms, how.step_hours * HOUR_MS)
    encode, offsets, records = msgspec.json.Encoder().encode, [0] * _PARTITIONS, []
    for outcome in known:
        partition = zlib.crc32(outcome.counterpart.encode()) % _PARTITIONS
        key = outcome.counterpart.encode()
        records.append(Record(topics.OUTCOMES, partition, offsets[partition], key, encode(outcome)))
        offsets[partition] += 1
    risk: list[PartitionRows] = []
    for at in range(0, len(records), _BATCH):
        output = core.process(records[at : at + _BATCH])
        assert not output.produce, "an outcome cannot be read"
        risk += output.rows
    return Tables(profiles(events, rules), risk, {outcome.counterpart: outcome.outcome_time_ms for outcome in known})


def outcomes(events: Sequence[Payment], labels: Sequence[Label], how: LabelSettings) -> list[Outcome]:
    """As the label joiner would say them, in the order in which they become known, but for labels later than the delay.

    Of two terminals in three from the beginning on, of the others up to the end, for as long as tiles are kept.
    """
    by_event = {label.event_id: label for label in labels if label.label_time_ms <= label.event_time_ms + how.delay_ms}
    times = [event.event_time_ms for event in events]
    first, last, kept = min(times), max(times), keep_hours(how.delay_ms) * HOUR_MS - DAY_MS
    joined = []
    for event in events:
        kind = _kind(event.counterpart)
        time = event.event_time_ms
        if kind == 0 or not (time < first + kept if kind < 7 else time > last - kept):
            continue
        label = by_event.get(event.event_id)
        joined.append(
            Outcome(
                event.event_id,
                event.subject,
                event.counterpart,
                time,
                label.label_time_ms if label else time + how.delay_ms,
                label is not None and label.positive,
                label.source if label else "matured",
                event.measure,
                unusual=_kind(event.event_id) % 2 == 0,
            )
        )
    return sorted(joined, key=lambda outcome: outcome.outcome_time_ms)


def profiles(events: Sequence[Payment], rules: Feast) -> list[ProfileRow]:
    """Of two cards in ten one that reaches its maximum age at an event in the middle, to the millisecond. Of the others one that
    is made at an event in the middle, and counts from that event on.
    """
    age, lead = int(rules.profile_max_age_days * DAY_MS), int(rules.profile_max_lead_hours * HOUR_MS)
    of: dict[str, list[Payment]] = defaultdict(list)
    for event in events:
        of[event.subject].append(event)
    rows = []
    for subject, mine in of.items():
        mine.sort(key=lambda event: event.event_time_ms)
        times = [event.event_time_ms for event in mine]
        kind, middle = _kind(subject), len(mine) // 2
        if kind == 0:
            continue
        if kind <= 2:
            made = times[middle] - age
        else:
            after_a_gap = [k for k in range(1, len(mine)) if times[k] - times[k - 1] > lead]
            made = times[min(after_a_gap, key=lambda k: abs(k - middle), default=0)]
            if kind <= 5:
                rows.append(_profile(subject, times[0] - age - 1, mine[-5:]))
        rows.append(_profile(subject, made, [event for event in mine if event.event_time_ms < made] or mine))
    return rows


def _profile(subject: str, made_ms: int, mine: Sequence[Payment]) -> ProfileRow:
    habits = Habits()
    for event in mine:
        position = None
        if event.mode in PRESENT and event.latitude is not None and event.longitude is not None:
            position = event.latitude, event.longitude
        habits.add(event.event_time_ms, event.measure, event.counterpart, event.category, position)
    return ProfileRow(subject, made_ms, *habits.profile())


def _kind(name: str) -> int:
    return zlib.crc32(name.encode()) % 10
