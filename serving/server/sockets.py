"""The sockets that the model server listens on."""

from __future__ import annotations

import errno
import socket

from features.base.network import Server
from features.base.settings import SettingsError


def bound(host: str, port: int, field: str, server: Server = "model_server") -> socket.socket:
    """Bind a TCP socket to ``host``:``port`` and return it.

    Raises SettingsError where it cannot be had, naming the port's ``field``, or ``server`` in ``network.bind`` where this host
    lacks the address.
    """
    # The protocol is named because asyncio sets TCP_NODELAY only then (asyncio.base_events._set_nodelay): without that, the body
    # of every answer waits 40 ms for the client's delayed acknowledgement of the headers.
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # A server that restarts meets the closing connections of the one before.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
            cure = f"network.bind.{server} is no address of this host, set it to one that is"
        else:
            cure = f"stop what listens there or choose another {field}"
        message = f"{host}:{port} cannot be bound ({error.strerror}); {cure}"
        raise SettingsError(message) from error
    return made
