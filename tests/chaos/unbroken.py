"""A run without a break over the same log: the scorer's pure core, with the same store and model server."""

from __future__ import annotations

from collections import Counter

import msgspec

from features.base.events import DeadLetter, Score
from features.base.settings import Settings
from features.online.cached_reader import Reader
from features.online.store import ProfileReader
from serving.client.client import KServeClient
from serving.server import auth
from streams import topics
from streams.engine.partitioner_setting import homes_of
from streams.kafka.records import Record
from streams.scoring.scorer import Scorer

_BATCH = 2000


class Unbroken:
    """What a run without a break gives: scores by partition, in order, and the places of the bad records."""

    def __init__(self, settings: Settings, log: dict[int, list[Record]]) -> None:
        client = KServeClient(settings.grpc_address, settings.model, auth.read(settings.token_file), 20, settings.model_authority)
        # Nobody waits for this run: it must have every profile.
        patient = settings.model_copy(update={"scoring": settings.scoring.model_copy(update={"profile_timeout_s": 30.0})})
        scorer = Scorer(patient, client, Reader(ProfileReader(patient), settings.feast), homes=homes_of(settings))
        decode = msgspec.json.Decoder(Score).decode
        letter = msgspec.json.Decoder(DeadLetter).decode
        self.scores: dict[int, list[Score]] = {partition: [] for partition in log}
        self.bad: Counter[tuple[int, int]] = Counter()
        for partition, records in log.items():
            for at in range(0, len(records), _BATCH):
                for item in scorer.process(records[at : at + _BATCH]).produce:
                    if item.topic == topics.SCORES:
                        self.scores[partition].append(decode(item.value))
                    elif item.topic == topics.DLQ:
                        dead_letter = letter(item.value)
                        self.bad[dead_letter.partition, dead_letter.offset] += 1
        client.close()
        assert not any(score.degraded for part in self.scores.values() for score in part), "the reference lacks profiles"
