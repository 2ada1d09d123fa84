"""``python -m tests.integration.hostile_header BOOTSTRAP TOPIC``: one record whose header's name is not UTF-8.

Our own client cannot send one. With AIOKAFKA_NO_EXTENSIONS set, for aiokafka's compiled parts encode names themselves.
"""

from __future__ import annotations

import asyncio
import sys

from aiokafka import AIOKafkaProducer


class Name(str):
    """Encoded to two bytes that are no UTF-8."""

    __slots__ = ()

    def encode(self, *_: object, **__: object) -> bytes:
        return b"\xff\xfe"


async def main(bootstrap: str, topic: str) -> None:
    sender = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await sender.start()
    await sender.send_and_wait(topic, b"bad header", key=b"k", partition=0, headers=[(Name("x"), b"v")])
    await sender.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
