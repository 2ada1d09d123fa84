"""Every arrow of the shell's life cycle can be gone, and no other step."""

from __future__ import annotations

import re
from itertools import product

import pytest

from streams.engine import life_cycle
from streams.engine.life_cycle import FOLLOWING, OUTSIDE, PAUSED, IllegalStep, LifeCycle, State

S = State
#: As drawn, with the shortest life that ends in the first of the two.
ARROWS = {
    (S.NEW, S.JOINING): [],
    (S.JOINING, S.READING): [S.JOINING],
    (S.JOINING, S.ENDED): [S.JOINING],
    (S.READING, S.BATCH): [S.JOINING, S.READING],
    (S.READING, S.REBUILDING): [S.JOINING, S.READING],
    (S.READING, S.ENDED): [S.JOINING, S.READING],
    (S.BATCH, S.READING): [S.JOINING, S.READING, S.BATCH],
    (S.BATCH, S.WAITING): [S.JOINING, S.READING, S.BATCH],
    (S.BATCH, S.SPOILT): [S.JOINING, S.READING, S.BATCH],
    (S.WAITING, S.READING): [S.JOINING, S.READING, S.BATCH, S.WAITING],
    (S.WAITING, S.MOVED): [S.JOINING, S.READING, S.BATCH, S.WAITING],
    (S.WAITING, S.SPOILT): [S.JOINING, S.READING, S.BATCH, S.WAITING],
    (S.MOVED, S.SPOILT): [S.JOINING, S.READING, S.BATCH, S.WAITING, S.MOVED],
    (S.SPOILT, S.REBUILDING): [S.JOINING, S.READING, S.BATCH, S.SPOILT],
    (S.SPOILT, S.ENDED): [S.JOINING, S.READING, S.BATCH, S.SPOILT],
    (S.REBUILDING, S.READING): [S.JOINING, S.READING, S.REBUILDING],
    (S.REBUILDING, S.ENDED): [S.JOINING, S.READING, S.REBUILDING],
}
LIVES = {before: life for (before, _), life in ARROWS.items()} | {S.ENDED: [S.JOINING, S.ENDED]}


def lived(life: list[State]) -> LifeCycle:
    cycle = LifeCycle()
    for state in life:
        cycle.to(state)
    return cycle


@pytest.mark.parametrize(("before", "after"), ARROWS, ids=lambda state: state.name)
def test_an_arrow_of_the_drawing_can_be_gone(before: State, after: State) -> None:
    cycle = lived(LIVES[before])
    assert cycle.state is before
    cycle.to(after)
    assert cycle.state is after


@pytest.mark.parametrize(
    ("before", "after"), [pair for pair in product(State, State) if pair not in ARROWS], ids=lambda state: state.name
)
def test_every_other_step_is_refused_and_leaves_the_state(before: State, after: State) -> None:
    cycle = lived(LIVES[before])
    with pytest.raises(IllegalStep, match=f"a shell that is {before.name} cannot become {after.name}"):
        cycle.to(after)
    assert cycle.state is before


def test_the_table_in_the_docstring_is_the_table_of_the_code() -> None:
    doc = life_cycle.__doc__ or ""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in doc.splitlines() if line.startswith("| ")][2:]
    written = {(State[before], State[after]) for before, _, _, after in rows if after}
    (line,) = re.findall(r"^ +(.*) --> ENDED$", doc, re.MULTILINE)
    written |= {(State[before], State.ENDED) for before in line.split(", ")}
    assert {State[row[0]] for row in rows} == set(State)
    assert written == {(before, after) for before, following in FOLLOWING.items() for after in following} == set(ARROWS)


def test_the_stream_waits_until_its_batch_ends_whatever_moves_meanwhile() -> None:
    times = iter([10.0, 12.0, 15.0])
    cycle = LifeCycle(lambda: next(times))
    paused = []
    for state in (S.JOINING, S.READING, S.BATCH, S.WAITING, S.MOVED, S.SPOILT):
        cycle.to(state)
        paused.append(cycle.paused_s)
    assert paused == [None, None, None, 2.0, 5.0, None]
    assert {S.WAITING, S.MOVED} == PAUSED
    assert {S.NEW, S.JOINING} == OUTSIDE
