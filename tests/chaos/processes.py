"""The processes under test, started anew whenever they end, as a supervisor does; and a model server that can be made slow."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Child:
    """One process: kept alive until ``stop``."""

    def __init__(self, name: str, folder: Path, arguments: list[str], environment: dict[str, str]) -> None:
        self.name = name
        self.starts = 0
        self._folder = folder
        self._command = [sys.executable, "-P", "-m", "infra.cli", "run", *arguments]
        self._environment = {**os.environ, "DRIFTLOOP_DIR": str(folder), "PYTHONPATH": str(ROOT), **environment}
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper = threading.Thread(target=self._keep, name=name, daemon=True)
        self._keeper.start()

    def kill(self) -> None:
        """SIGKILL, and it is started again."""
        if self._process is not None:
            self._process.kill()

    def pause(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after ``seconds``."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)
            self._ending.wait(seconds)
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """SIGTERM; the exit code. Killed where it takes longer than 20 s."""
        self._ending.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        self._keeper.join(30)
        return process.returncode if process is not None else 0

    def _keep(self) -> None:
        log = self._folder / "logs" / f"{self.name}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as out:
            while not self._ending.is_set():
                self.starts += 1
                self._process = subprocess.Popen(self._command, env=self._environment, cwd=self._folder, stdout=out, stderr=out)
                self._process.wait()
                self._ending.wait(0.2)


class SlowRoad:
    """A TCP proxy on 127.0.0.1 in front of ``port``; ``delay_s`` holds back every answer by so long."""

    def __init__(self, port: int) -> None:
        self.delay_s = 0.0
        self._target = port
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.port = 0
        self._thread = threading.Thread(target=self._run, name="slow-road", daemon=True)
        self._thread.start()
        self._ready.wait(10)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

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
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pump(reader, back, slow=False), self._pump(there, writer, slow=True))

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


def kill(pid: int) -> None:
    """SIGKILL to a process of the platform's supervisor, which starts it again."""
    os.kill(pid, signal.SIGKILL)


def wait_until(condition: object, timeout_s: float) -> bool:
    """Whether ``condition()`` came true in time."""
    assert callable(condition)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False
