"""Committing by what was fetched and handled. A log in memory stands for the fetcher's half of Faust's consumer."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from faust.types import TP

from features.base.settings import Settings
from retrain.control.faust import progress
from retrain.control.faust.committed_reader import ReadCommittedConsumer, Reading
from retrain.control.faust.progress import EndOffsets, Progress

PLACE = TP("retrain-requests", 0)


class Fetcher:
    """Hands out offsets; remembers what was committed and what was asked for again."""

    def __init__(self) -> None:
        self.committed: dict[TP, int] = {}
        self.position = 0
        self.fetched: list[int] = []
        self.again: list[int] = []

    def fetch(self, *records: int, position: int) -> None:
        self.fetched += records
        self.position = position

    async def readings(self, partitions: list[TP]) -> dict[TP, Reading]:
        fetched, self.fetched = self.fetched, []
        return {PLACE: Reading(self.position, fetched)}

    def committed_to(self, tp: TP) -> int:
        return self.committed.get(tp, 0)

    async def commit_to(self, offsets: dict[TP, int]) -> None:
        self.committed.update(offsets)

    async def fetch_again(self, tp: TP, offset: int) -> None:
        self.again.append(offset)


class Run:
    """Progress over such a log."""

    def __init__(self) -> None:
        self.fetcher = Fetcher()
        self.progress = Progress([PLACE], EndOffsets(Settings()))

    def turn(self) -> int | None:
        consumer = cast(ReadCommittedConsumer, cast(Any, self.fetcher))
        asyncio.run(self.progress.commit(consumer))
        return self.fetcher.committed.get(PLACE)

    def handle(self, offset: int) -> bool:
        if not self.progress.begin(PLACE, offset):
            return False
        self.progress.handled(PLACE, offset)
        return True


def test_a_marker_is_passed_once_the_record_before_it_is_handled() -> None:
    run = Run()
    run.fetcher.fetch(0, position=2)
    assert run.turn() is None
    assert run.handle(0)
    assert run.turn() == 2


def test_a_record_that_did_not_arrive_holds_the_offset_and_is_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOST_S", 0.0)
    run = Run()
    run.fetcher.fetch(0, 2, 4, position=6)
    assert run.handle(0)
    assert run.handle(4)
    assert run.turn() is None
    assert run.fetcher.again == [2]
    run.fetcher.fetch(2, 4, position=6)
    assert run.handle(2)
    assert not run.handle(4)
    assert run.turn() == 6


def test_a_record_in_hand_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOST_S", 0.0)
    run = Run()
    run.fetcher.fetch(0, position=2)
    assert run.progress.begin(PLACE, 0)
    assert run.turn() is None
    assert run.fetcher.again == []


def test_an_agent_may_be_faster_than_the_look() -> None:
    run = Run()
    assert run.handle(0)
    run.fetcher.fetch(0, position=2)
    assert run.turn() == 2
