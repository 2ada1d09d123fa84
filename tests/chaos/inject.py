"""What each fault does."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Mapping

import redis

from features.base.settings import Settings
from infra.errors import PlatformError
from infra.platform import supervisor
from streams import topics
from tests.chaos.plan import Fault
from tests.chaos.processes import Child, wait_until
from tests.chaos.road import Refusal, Road
from tests.chaos.stream import Stream
from tests.chaos.world import Sent, World, malformed

#: Longer than the session time-out of the consumers (10 s).
_ZOMBIE_S = 12.0
_SLOW_S = 3.0
_BURST = 200
#: The scorer leaves a store that did not answer alone for a second, and a batch is in hand then.
_AFTER_REDIS_MS = 3_000
_REDIS_S = 60.0


class Injector:
    """Injects the faults of one run. ``without_redis``: wall times in ms between which scores may be degraded;
    ``malformed``: hashes of the values that were sent and are no payments."""

    def __init__(
        self, settings: Settings, seed: int, world: World, children: Mapping[str, Child], road: Road, stream: Stream
    ) -> None:
        self._settings = settings
        self._seed = seed
        self._payments = [sent for sent in world.live if sent.topic == topics.EVENTS]
        self._children = children
        self._road = road
        self._stream = stream
        self._bursts = self._again = 0
        self.without_redis: list[tuple[int, int]] = []
        self.malformed: set[int] = set()

    def together(self, step: list[Fault]) -> None:
        """One fault, or two, the second soon after the first. Returns when the last of what they do themselves is done."""
        threads = []
        for n, fault in enumerate(step):
            if n:
                time.sleep(fault.pause_s)
            threads.append(threading.Thread(target=self.inject, args=(fault,)))
            threads[-1].start()
        for thread in threads:
            thread.join()

    def inject(self, fault: Fault) -> None:
        match fault.kind:
            case "kill scorer":
                self._scorer(fault).kill()
            case "stop scorer (zombie)":
                self._scorer(fault).pause(_ZOMBIE_S)
            case "kill writers":
                self._children["writers"].kill()
            case "kill drift monitor":
                self._children["drift-monitor"].kill()
            case "kill model server":
                self._children["model-server"].kill()
            case "slow model server":
                self._road.delay_s = _SLOW_S
                time.sleep(_SLOW_S)
                self._road.delay_s = 0.0
            case "model server answers errors":
                self._refuse()
            case "kill broker":
                self.kill("kafka")
            case "kill redis":
                self._without_redis()
            case "malformed burst":
                self._bursts += 1
                burst = malformed(self._seed + self._bursts, _BURST)
                self.malformed |= {hash(sent.value) for sent in burst}
                self._stream.burst(burst)
            case "duplicate burst":
                sent = self._stream.sent
                again = self._payments[max(0, sent - 3 * _BURST) : max(0, sent - _BURST)]
                # Those without a key may pass their first (``tests.chaos.world``).
                self._stream.burst([payment for payment in again if payment.key is not None])
            case "late burst":
                # From the live part's beginning, under ids of their own. Not of the history: their outcomes would change what
                # is known of terminals behind the label horizon.
                end = min(self._again + _BURST, self._stream.sent // 2)
                self._stream.burst([_renamed(sent, self._bursts) for sent in self._payments[self._again : end]])
                self._again = end
                self._bursts += 1
        time.sleep(0.3)

    def kill(self, name: str) -> None:
        """SIGKILL to a process of the platform's supervisor, which starts it again."""
        process = supervisor.processes(self._settings).get(name)
        if process is None or not process.pid:
            raise PlatformError(f"{name} does not run")
        os.kill(process.pid, signal.SIGKILL)

    def _scorer(self, fault: Fault) -> Child:
        return self._children[f"scorer-{fault.member}"]

    def _refuse(self) -> None:
        refusal = Refusal()
        self._road.lead_to(refusal.port)
        time.sleep(_SLOW_S)
        self._road.lead_to(self._settings.ports.grpc)
        refusal.close()

    def _without_redis(self) -> None:
        began = _now_ms()
        self.kill("redis")
        client = redis.Redis("127.0.0.1", self._settings.ports.redis, socket_timeout=1)
        assert wait_until(lambda: _answers(client), _REDIS_S), "Redis did not come back"
        client.close()
        self.without_redis.append((began, _now_ms() + _AFTER_REDIS_MS))


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _renamed(payment: Sent, n: int) -> Sent:
    """The payment under an id of its own."""
    return Sent(payment.topic, payment.key, payment.value.replace(b'"transaction_id":"', b'"transaction_id":"again%d-' % n, 1))
