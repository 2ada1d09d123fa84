"""The way to the model server: a proxy that can hold answers back, or lead to a server that refuses everything."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc


class Refusing(grpc.GenericRpcHandler):
    """Answers each call with INTERNAL."""

    def service(self, handler_call_details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(_refuse)


def _refuse(request: bytes, context: grpc.ServicerContext) -> None:
    context.abort(grpc.StatusCode.INTERNAL, "refused on purpose")


class Refusal:
    """A gRPC server on 127.0.0.1 that refuses everything, until ``close``."""

    def __init__(self) -> None:
        self._server = grpc.server(ThreadPoolExecutor(2, thread_name_prefix="refusal"), (Refusing(),))
        self.port: int = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def close(self) -> None:
        self._server.stop(0).wait()


class Road:
    """A TCP proxy on 127.0.0.1 in front of ``port``; ``delay_s`` holds back every answer by so long."""

    def __init__(self, port: int) -> None:
        self.delay_s = 0.0
        self._target = port
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.port = 0
        self._thread = threading.Thread(target=self._run, name="road", daemon=True)
        self._thread.start()
        self._ready.wait(10)

    def lead_to(self, port: int) -> None:
        """New connections go there, and those that are open end."""
        self._target = port
        self._loop.call_soon_threadsafe(self._end_all)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _end_all(self) -> None:
        for writer in list(self._open):
            writer.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.1))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        self._open |= {writer, back}
        try:
            await asyncio.gather(self._pump(reader, back, slow=False), self._pump(answers, writer, slow=True))
        finally:
            self._open -= {writer, back}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slow: bool) -> None:
        try:
            while data := await reader.read(65_536):
                if slow and self.delay_s:
                    await asyncio.sleep(self.delay_s)
                writer.write(data)
                await writer.drain()
        except (OSError, asyncio.CancelledError):
            return
        finally:
            writer.close()
