"""A record's place names another record after a repartition."""

from __future__ import annotations

from features.archive.generations import Generation, Generations
from features.base.events import HandledLetter
from infra.dead_letters.handled import Handled


def test_a_place_that_was_replayed_before_a_repartition_is_another_record_after_it() -> None:
    done = Handled(generations=Generations((Generation(1, 6, 0, 10),)))
    done.add(5, HandledLetter(0, 4, "replayed", "transactions", 1, 500, "", 2))
    assert done.source(7, "transactions", 1, 500) in done.sent
    assert done.source(10, "transactions", 1, 500) not in done.sent
