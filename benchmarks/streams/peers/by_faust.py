"""The job as a Faust app: an agent that awaits, event by event, Feast's SDK and the model server's REST V2; a table in memory.

Run as ``python -m benchmarks.streams.peers.by_faust SOURCE TARGET``; the platform is that of DRIFTLOOP_DIR.
"""

from __future__ import annotations

import sys
from typing import Any

import aiohttp
import faust

from benchmarks.streams.peers.card_window import question, step
from features.base.settings import Settings, load
from features.catalogue.vector import WIDTH
from features.feast_repo.store import import_feast
from serving.server import auth

APP_ID = "benchmark-faust"
_FEATURES = ["customer_profile:profile", "customer_profile:usual", "terminal_risk:tiles"]


def app(settings: Settings, source: str, target: str) -> faust.App:
    """The settings that Faust needs on Kafka 4 (docs/decisions.md), its defaults otherwise."""
    made = faust.App(
        APP_ID,
        broker=f"kafka://{settings.bootstrap}",
        store="memory://",
        datadir=settings.dir / "faust",
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=settings.partitions,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
    )
    transactions = made.topic(source, value_serializer="json")
    scores = made.topic(target, value_serializer="json")
    recent = made.Table("recent", default=list, partitions=settings.partitions)
    store = import_feast().FeatureStore(repo_path=str(settings.feature_repo))
    url = f"{settings.rest_url}/v2/models/{settings.model}/infer"
    headers = {"Authorization": f"Bearer {auth.read(settings.token_file)}"}

    @made.agent(transactions)
    async def score(stream: Any) -> None:
        async with aiohttp.ClientSession(headers=headers) as session:
            async for event in stream:
                subject = event["card_id"]
                recent[subject], numbers = step(recent[subject], event)
                entity = [{"card_id": subject, "terminal_id": event["terminal_id"]}]
                # Feast's asynchronous read: what its documentation has for an event loop.
                features = (await store.get_online_features_async(_FEATURES, entity)).to_dict()
                async with session.post(url, json=question(numbers, features["profile"][0] or [], WIDTH)) as answer:
                    answer.raise_for_status()
                    reply = await answer.json()
                await scores.send(key=subject, value={"transaction": event, "score": reply["outputs"][0]["data"][0]})

    return made


def main(arguments: list[str]) -> None:
    """Until SIGTERM."""
    faust.Worker(app(load(), *arguments), loglevel="INFO").execute_from_commandline()


if __name__ == "__main__":
    main(sys.argv[1:])
