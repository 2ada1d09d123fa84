"""What must hold afterwards, against an unbroken run of the pure core over the same log, with the same store and model server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow.parquet as pq

from features.events import Alert, DeadLetter, Label, Outcome, Score
from features.online import ProfileReader
from features.reading import Reader
from features.settings import Settings
from features.vector import N_STREAM, NAMES, unpacked
from serving import auth
from serving.client import KServeClient
from streams import topics
from streams.core import Record
from streams.scorer import Scorer
from tests.chaos.logs import committed
from tests.chaos.world import World

_BATCH = 2000
_STREAM_BYTES = 4 * N_STREAM


class Unbroken:
    """What a run without a break gives: scores by partition, in order, and the places of the bad records."""

    def __init__(self, settings: Settings, log: dict[int, list[Record]]) -> None:
        client = KServeClient(settings.grpc_address, settings.model, auth.read(settings.token_file), 20)
        # Nobody waits for this run: it must have every profile.
        patient = settings.model_copy(update={"scoring": settings.scoring.model_copy(update={"profile_timeout_s": 30.0})})
        scorer = Scorer(patient, client, Reader(ProfileReader(patient), settings.feast))
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
                        found = letter(item.value)
                        self.bad[found.partition, found.offset] += 1
        client.close()
        assert not any(score.degraded for part in self.scores.values() for score in part), "the reference lacks profiles"


def verify(settings: Settings, world: World) -> tuple[dict[str, int], list[str]]:
    """Counts for the report, and what does not hold, in words."""
    partitions = settings.partitions
    log = committed(settings, topics.TRANSACTIONS, partitions)
    wanted = Unbroken(settings, log)
    raw = committed(settings, topics.SCORES, partitions)
    decode = msgspec.json.Decoder(Score).decode
    scores = {partition: [decode(record.value or b"") for record in records] for partition, records in raw.items()}
    counts, wrong = _scores(wanted, scores, world.live_ms)
    counts["transactions in the log"] = sum(map(len, log.values()))
    for found, problems in (
        _alerts(settings, scores),
        _dead_letters(settings, wanted),
        _outcomes(settings, scores),
        _archive(settings, raw),
        _online(settings, scores),
    ):
        counts |= found
        wrong += problems
    return counts, wrong


def _scores(wanted: Unbroken, found: dict[int, list[Score]], live_ms: int) -> tuple[dict[str, int], list[str]]:
    lost = repeated = differing = degraded = unlike = 0
    examples: list[str] = []
    for partition, expected in wanted.scores.items():
        have = found[partition]
        by_id = Counter(score.transaction.transaction_id for score in have)
        must = {score.transaction.transaction_id: score for score in expected}
        lost += sum(by_id[one] == 0 for one in must)
        repeated += sum(count - 1 for count in by_id.values() if count > 1)
        unlike += sum(one not in must for one in by_id)
        unlike += [s.transaction.transaction_id for s in have] != [s.transaction.transaction_id for s in expected]
        for score in have:
            reference = must.get(score.transaction.transaction_id)
            if reference is None:
                continue
            degraded += score.degraded
            settled = score.transaction.event_time_ms >= live_ms and not score.degraded
            if not _equal(score, reference, whole=settled):
                differing += 1
                examples.append(_difference(partition, score, reference))
    counts = {
        "scores": sum(map(len, found.values())),
        "scores lost": lost,
        "scores repeated": repeated,
        "scores that differ from the unbroken run": differing,
        "scores marked degraded": degraded,
        "late scores": sum(score.late for scores in found.values() for score in scores),
    }
    wrong = [f"{what}: {counts[what]}" for what in list(counts)[1:4] if counts[what]]
    wrong += examples[:5]
    if unlike:
        wrong.append(f"scores in another order, or of no valid transaction: {unlike}")
    return counts, wrong


def _equal(one: Score, other: Score, *, whole: bool) -> bool:
    """The transaction, its flags and the stream's columns to the last bit; where nothing was stale, all of the vector and the
    score."""
    same = (
        one.transaction == other.transaction
        and one.late == other.late
        and one.cold == other.cold
        and one.features[:_STREAM_BYTES] == other.features[:_STREAM_BYTES]
    )
    return same and (
        not whole or (one.features == other.features and one.score == other.score and one.decision == other.decision)
    )


def _difference(partition: int, one: Score, other: Score) -> str:
    """Where two scores of a transaction differ."""
    values, reference = unpacked(one.features), unpacked(other.features)
    columns = [f"{NAMES[i]} {values[i]:g} not {reference[i]:g}" for i in np.flatnonzero(values != reference)]
    flags = f"late {one.late}/{other.late}, cold {one.cold}/{other.cold}, score {one.score}/{other.score}"
    return f"{one.transaction.transaction_id} of partition {partition}: {'; '.join(columns[:6]) or 'equal vectors'}; {flags}"


def _alerts(settings: Settings, scores: dict[int, list[Score]]) -> tuple[dict[str, int], list[str]]:
    decode = msgspec.json.Decoder(Alert).decode
    raw = committed(settings, topics.ALERTS, settings.partitions)
    alerts = Counter(decode(record.value or b"").transaction.transaction_id for records in raw.values() for record in records)
    wanted = Counter(s.transaction.transaction_id for part in scores.values() for s in part if s.decision == "alert")
    wrong = [] if alerts == wanted else [f"alerts: {sum(alerts.values())}, alerting scores: {sum(wanted.values())}"]
    return {"alerts": sum(alerts.values())}, wrong


def _dead_letters(settings: Settings, wanted: Unbroken) -> tuple[dict[str, int], list[str]]:
    decode = msgspec.json.Decoder(DeadLetter).decode
    letters = [decode(record.value or b"") for records in committed(settings, topics.DLQ, 1).values() for record in records]
    found = Counter((letter.partition, letter.offset) for letter in letters if letter.topic == topics.TRANSACTIONS)
    wrong = []
    if found != wanted.bad:
        wrong.append(f"dead letters: {sum(found.values())}, bad records: {sum(wanted.bad.values())}")
    others = [letter for letter in letters if letter.topic != topics.TRANSACTIONS]
    if others:
        wrong.append(f"dead letters of good records: {len(others)}, the first by {others[0].processor}: {others[0].message}")
    return {"dead letters": sum(found.values())}, wrong


def _outcomes(settings: Settings, scores: dict[int, list[Score]]) -> tuple[dict[str, int], list[str]]:
    """One outcome for each label whose payment was scored; no payment of the live part is old enough to mature."""
    raw = committed(settings, topics.OUTCOMES, settings.partitions)
    outcomes = [msgspec.json.decode(record.value or b"", type=Outcome) for part in raw.values() for record in part]
    given = committed(settings, topics.LABELS, settings.partitions)
    labels = [msgspec.json.decode(record.value or b"", type=Label) for part in given.values() for record in part]
    scored = {score.transaction.transaction_id for part in scores.values() for score in part}
    wanted = Counter((label.transaction_id, label.is_fraud) for label in labels if label.transaction_id in scored)
    labelled = Counter((o.transaction_id, o.is_fraud) for o in outcomes if o.source != "matured")
    wrong = [] if labelled == wanted else [f"labelled outcomes: {sum(labelled.values())}, labels: {sum(wanted.values())}"]
    return {"labels": len(labels), "labelled outcomes": sum(labelled.values())}, wrong


def _archive(settings: Settings, raw: dict[int, list[Record]]) -> tuple[dict[str, int], list[str]]:
    places: Counter[tuple[int, int]] = Counter()
    for path in _files(settings):
        table = pq.read_table(path, columns=["kafka_partition", "kafka_offset"])
        places.update(zip(table["kafka_partition"].to_pylist(), table["kafka_offset"].to_pylist(), strict=True))
    wanted = Counter((record.partition, record.offset) for records in raw.values() for record in records)
    wrong = [] if places == wanted else [f"archived scores: {sum(places.values())}, scores: {sum(wanted.values())}"]
    return {"archived scores": sum(places.values())}, wrong


def _files(settings: Settings) -> Sequence[str]:
    return sorted(str(path) for path in (settings.archive / "scores").rglob("*.parquet"))


def _online(settings: Settings, scores: dict[int, list[Score]]) -> tuple[dict[str, int], list[str]]:
    newest: dict[str, Score] = {}
    for part in scores.values():
        for score in part:
            held = newest.get(score.transaction.card_id)
            if held is None or score.transaction.event_time_ms >= held.transaction.event_time_ms:
                newest[score.transaction.card_id] = score
    reader = ProfileReader(settings)
    rows = reader.activity(list(newest))
    reader.close()
    wrong = 0
    for score, row in zip(newest.values(), rows, strict=True):
        wrong += (
            row is None
            or row.event_time_ms != score.transaction.event_time_ms
            or not np.array_equal(row.vector, unpacked(score.features))
        )
    return {"cards online": len(newest)}, [f"cards whose online vector is not their newest: {wrong}"] if wrong else []
