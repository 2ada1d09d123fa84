"""Compile what the scorer's first transaction would otherwise wait for, before the scorer joins its group.

numba keeps what it has compiled beside the source, and loads it within a second. Where there is nothing yet (a new checkout,
another processor, a changed formula) it takes half a minute: too long with a batch in hand. ``make setup`` runs this file.
"""

from __future__ import annotations

from features.base.active import DOMAIN
from features.base.settings import Settings
from features.online.decode_reply import OF_A_COUNTERPART, OF_A_SUBJECT, decode
from features.transform.fill import fill
from streams import topics
from streams.engine.codec import encode
from streams.engine.homes import Homes
from streams.engine.snapshot_store import Snapshot
from streams.engine.snapshot_store import decode as decoded
from streams.engine.snapshot_store import encode as encoded
from streams.kafka.records import Record
from streams.scoring.admission.table import empty, move
from streams.scoring.intake import Intake, admission
from streams.scoring.measures import Measures
from streams.scoring.partition_state import PartitionState

_EVENT = DOMAIN.event("t", 1_767_600_000_000, "c", "m", 100)


def warm(settings: Settings) -> None:
    """Take one event through a state, a read of profiles and the vector's columns, copy the state and load the copy, and forget
    all of it."""
    state = PartitionState(admission(settings.scoring))
    state.copy(1)  # the event comes while it is under way
    record = Record(topics.EVENTS, 0, 0, b"c", encode(_EVENT), [], _EVENT.event_time_ms)
    taken = Intake(settings.scoring, lambda _: state.admission, Measures(settings), Homes("murmur2", 1)).take([record]).new
    assert taken is not None
    vectors, _ = state.update(taken.columns, settings.features.measure_limit)
    profiles = decode([None] * (OF_A_SUBJECT + OF_A_COUNTERPART), 1)
    fill(vectors, taken.columns, profiles, settings.labels.delay_ms, settings.labels.step_hours)
    copy = state.copy(settings.snapshots.subjects_a_step)
    while not copy.done:
        copy.step()
    # What a start from a snapshot takes, whose arrays cannot be written, and what a table of ids that is left does.
    PartitionState(admission(settings.scoring)).load(decoded(b"".join(encoded(Snapshot(0, "", copy.arrays())))).arrays)
    table = empty(1)
    move(table[:1], table, 0)


if __name__ == "__main__":
    warm(Settings())
