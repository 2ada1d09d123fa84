"""Work in a thread that nobody has to wait for."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from streams.engine.background import Background


def test_tasks_run_one_after_the_other() -> None:
    done: list[int] = []
    background = Background("b")
    for future in [background.submit(partial(done.append, i)) for i in range(5)]:
        future.result(10)
    background.close()
    assert done == [0, 1, 2, 3, 4]


def test_who_asks_is_told_of_an_error_and_the_next_runs_all_the_same() -> None:
    def fails() -> None:
        raise OSError("disk full")

    background = Background("b")
    with pytest.raises(OSError, match="disk full"):
        background.submit(fails).result(10)
    assert background.submit(lambda: None).result(10) is None
    background.close()


def test_what_waits_is_cancelled_by_the_end() -> None:
    begun, over = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        assert over.wait(10)

    background = Background("b")
    first = background.submit(slow)
    second = background.submit(lambda: None)
    assert begun.wait(10)
    background.close()
    over.set()
    assert first.result(10) is None
    assert second.cancelled()
