"""A thread for work that may hang: the process ends without it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeAlias

_Task: TypeAlias = tuple[Callable[[], None], "Future[None]"]


class Background:
    """One task after the other, in a thread of its own. What ``concurrent.futures`` starts is waited for when Python ends; this
    is not, for a store that does not answer must not keep a process from ending."""

    def __init__(self, name: str) -> None:
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def submit(self, task: Callable[[], None]) -> Future[None]:
        """Queue ``task``: it runs once those before it are done."""
        future: Future[None] = Future()
        self._tasks.put((task, future))
        return future

    def close(self) -> None:
        """Take nothing more; what is in hand goes on as long as the process does. Does not wait."""
        with suppress(Empty):
            while True:
                if (left := self._tasks.get_nowait()) is not None:
                    left[1].cancel()
        self._tasks.put(None)

    def _run(self) -> None:
        while (job := self._tasks.get()) is not None:
            task, future = job
            if future.set_running_or_notify_cancel():
                try:
                    task()
                except BaseException as error:  # whoever asks the future is told
                    future.set_exception(error)
                else:
                    future.set_result(None)
