"""uvicorn as one of several servers in a process."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from serving.server.http_protocol import Protocol
from serving.server.tls import Identity

#: Seconds for the requests in flight when a server stops.
GRACE_S = 3
#: Seconds that an idle connection stays open: longer than clients' pools and balancers keep theirs (60 s), so that they close
#: first and no request meets a connection that is being closed.
KEEP_ALIVE_S = 75


class Server(uvicorn.Server):
    """Leaves signals to ``serving.server.main``: uvicorn would re-raise them once it stopped, in the middle of the others'
    stop."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    def stop(self) -> None:
        """Take no more requests and finish those in flight; ``serve`` returns then."""
        self.should_exit = True


def config(app: FastAPI, identity: Identity | None = None) -> uvicorn.Config:
    """Return the configuration for a socket that is bound already, with TLS where there is an ``identity``.

    Quiet: a line for every request would fill the log with what the metrics say better.
    """
    return uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_S,
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=identity.certificate if identity else None,
        ssl_keyfile=identity.key if identity else None,
    )
