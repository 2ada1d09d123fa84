"""The sockets of the model server."""

from __future__ import annotations

import asyncio
import socket

import pytest

from features.base.settings import SettingsError
from serving.server.sockets import bound


def test_answers_do_not_wait_for_the_clients_acknowledgement() -> None:
    async def accepted() -> int:
        """TCP_NODELAY of a connection as asyncio's server, and so uvicorn, accepts it."""
        nodelay: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def came(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nodelay.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        listening = bound("127.0.0.1", 0, "ports.rest")
        async with await asyncio.start_server(came, sock=listening):
            _, writer = await asyncio.open_connection(*listening.getsockname())
            option = await nodelay
            writer.close()
            await writer.wait_closed()
        return option

    assert asyncio.run(accepted()) == 1


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_host_is_named(host: str) -> None:
    with pytest.raises(
        SettingsError, match=rf"{host}:0 cannot be bound \(.*\); network\.bind\.metrics is no address of this host"
    ):
        bound(host, 0, "ports.metrics.model-server", "metrics")


def test_a_port_that_is_taken_is_named() -> None:
    taken = bound("127.0.0.1", 0, "ports.rest")
    taken.listen()
    port = taken.getsockname()[1]
    with pytest.raises(SettingsError, match=rf"127.0.0.1:{port} cannot be bound \(.*\); .*choose another ports.grpc"):
        bound("127.0.0.1", port, "ports.grpc")
    taken.close()
