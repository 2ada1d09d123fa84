"""Compile what the scorer's first transaction would otherwise wait for, before the scorer joins its group.

numba keeps what it has compiled beside the source, and loads it within a second. Where there is nothing yet (a new checkout,
another processor, a changed formula) it takes half a minute: too long with a batch in hand. ``make setup`` runs this file.
"""

from __future__ import annotations

from features.events import Transaction
from features.profile_reply import OF_A_CARD, OF_A_TERMINAL, decode
from features.profiles import fill
from features.settings import Settings
from streams import topics
from streams.codec import encode
from streams.core import Record
from streams.intake import Intake, admission
from streams.partition_state import PartitionState

_PAYMENT = Transaction("t", 1_767_600_000_000, "c", "m", 100)


def warm(settings: Settings) -> None:
    """Take one payment through a state, a read of profiles and the vector's columns, and forget all of it."""
    state = PartitionState(admission(settings.scoring))
    record = Record(topics.TRANSACTIONS, 0, 0, b"c", encode(_PAYMENT), [], _PAYMENT.event_time_ms)
    taken, _ = Intake(settings.scoring, lambda _: state.admission).take([record])
    assert taken is not None
    vectors, _ = state.update(taken.columns, settings.features.amount_limit)
    profiles = decode([None] * (OF_A_CARD + OF_A_TERMINAL), 1)
    fill(vectors, taken.columns, profiles, settings.labels.delay_ms, settings.labels.step_hours)


if __name__ == "__main__":
    warm(Settings())
