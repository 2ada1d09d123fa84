"""Runs one or more shells (and watches) in one process, each in a thread, until a signal or the first failure."""

from __future__ import annotations

import errno
import logging
import os
import signal
import threading
import time
from collections.abc import Sequence
from http.server import ThreadingHTTPServer
from typing import NoReturn, Protocol

from features.base.network import LOOPBACK
from features.base.settings import SettingsError
from streams.engine.health_page import Health, serve

log = logging.getLogger(__name__)

#: A stop takes less than 5 s where everything answers. After this long, what does not end is left.
END_S = 10.0


class Runnable(Protocol):
    """What runs in a thread until it is stopped: a shell, or a watch."""

    def run(self) -> None: ...

    def stop(self) -> None: ...

    def health(self) -> list[str]: ...


def run(shells: Sequence[Runnable], metrics_port: int, metrics_host: str = LOOPBACK) -> int:
    """Run all shells; return 0 after SIGTERM or SIGINT, 1 when one of them failed (the others are stopped in order). Where one
    does not end within 10 s, the process ends beneath it, with 1 where it would be 0.

    2: one of them says that a setting is wrong, so that starting again would give the same.
    Raises SettingsError where the port is taken.
    """
    failed, wrong = threading.Event(), threading.Event()
    ended = threading.Event()

    def work(shell: Runnable) -> None:
        try:
            shell.run()
        except SettingsError as error:
            log.error("%s", error)  # noqa: TRY400 - one line: the way out is in it, not in a traceback
            wrong.set()
        except Exception:
            log.exception("a processor failed; this process ends so that it can be started anew")
            failed.set()
        finally:
            ended.set()

    def stop(*_: object) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    page = _page(metrics_port, metrics_host, lambda: [reason for shell in shells for reason in shell.health()])
    threads = [threading.Thread(target=work, args=(shell,), daemon=True) for shell in shells]
    for thread in threads:
        thread.start()
    # wait() without a time-out would never let the main thread see a signal on some platforms.
    while not ended.wait(0.5):
        pass
    for shell in shells:
        shell.stop()
    deadline = time.monotonic() + END_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if stuck := sum(thread.is_alive() for thread in threads):
        _leave(stuck, len(threads), 2 if wrong.is_set() else 1)
    page.shutdown()
    page.server_close()
    return 2 if wrong.is_set() else 1 if failed.is_set() else 0


def _leave(stuck: int, shells: int, code: int) -> NoReturn:
    """End the process beneath them: Kafka's clients wait long for a broker that is away, also when they are closed. What is in
    hand is not committed and will be taken again, as after a kill."""
    log.error("%d of %d processors did not end within %.0f s and are left: is the broker away?", stuck, shells, END_S)
    logging.shutdown()
    os._exit(code)


def _page(port: int, host: str, health: Health) -> ThreadingHTTPServer:
    """Serve metrics and health. A further member on the same machine takes any free port: the setting's is that of the first."""
    try:
        return serve(port, health, host=host)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        if os.environ.get("DRIFTLOOP_INSTANCE", "0") == "0":
            raise SettingsError(
                f"port {port} of [ports.metrics] is taken; does this processor run already? "
                "One more beside it needs a DRIFTLOOP_INSTANCE of its own"
            ) from error
    page = serve(0, health, host=host)
    log.info("port %d is taken: metrics and health are at %d", port, page.server_address[1])
    return page
