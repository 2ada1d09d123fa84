"""What must hold afterwards, against an unbroken run of the pure core over the same log, with the same store and model server."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import msgspec
import numpy as np

from features.base.events import Score
from features.base.settings import Settings
from features.catalogue.vector import N_STREAM, NAMES, unpacked
from streams import topics
from streams.kafka.records import Record
from tests.chaos import outputs
from tests.chaos.expected import disagreements
from tests.chaos.logs import committed
from tests.chaos.moves import at_home, moved, moves
from tests.chaos.outputs import Found, Scores
from tests.chaos.unbroken import Unbroken

_STREAM_BYTES = 4 * N_STREAM


@dataclass(frozen=True)
class Facts:
    """What the run itself knows. ``acknowledged``: hash of the value by (topic, partition, offset) of all that was published;
    ``without_redis``: spans of wall time in ms; ``malformed``: hashes of the values that are no payments."""

    acknowledged: dict[tuple[str, int, int], int]
    without_redis: list[tuple[int, int]]
    malformed: frozenset[int]


def verify(settings: Settings, facts: Facts) -> Found:
    """Counts for the report, and what does not hold, in words."""
    partitions = settings.partitions
    log = committed(settings, topics.EVENTS, partitions)
    labels = committed(settings, topics.LABELS, partitions)
    wanted = Unbroken(settings, log)
    raw = committed(settings, topics.SCORES, partitions)
    outcomes = committed(settings, topics.OUTCOMES, partitions)
    decode = msgspec.json.Decoder(Score).decode
    scores = {partition: [decode(record.value or b"") for record in records] for partition, records in raw.items()}
    counts, wrong = _scores(wanted, scores, facts.without_redis)
    wrong += disagreements(log, facts.malformed, wanted)
    for counted, problems in (
        _published([*log.values(), *labels.values()], facts.acknowledged),
        moves(log, facts.malformed),
        moves(labels),
        outputs.alerts(settings, scores),
        outputs.dead_letters(settings, wanted.bad),
        outputs.outcomes(settings, scores, outcomes, at_home(labels)),
        outputs.archived(settings, "scores", raw, ("transaction_id", "score", "decision")),
        outputs.archived(settings, "outcomes", outcomes, ("event_id", "positive", "source")),
        outputs.online(settings, scores),
        outputs.reports(settings),
    ):
        counts |= counted
        wrong += problems
    return counts, wrong


def _published(logs: list[list[Record]], acknowledged: dict[tuple[str, int, int], int]) -> Found:
    """The log holds what was acknowledged, where that was said, and nothing else but what was moved."""
    logged = {(r.topic, r.partition, r.offset): hash(r.value) for records in logs for r in records if not moved(r)}
    lost = sum(logged.get(place) != value for place, value in acknowledged.items())
    more = len(logged.keys() - acknowledged.keys())
    counts = {"acknowledged records that the log lacks": lost, "records in the log that were not acknowledged": more}
    return counts, [f"{what}: {count}" for what, count in counts.items() if count]


def _scores(wanted: Unbroken, actual: Scores, without_redis: list[tuple[int, int]]) -> Found:
    lost = repeated = differing = degraded = unlike = needless = 0
    examples: list[str] = []
    for partition, expected in wanted.scores.items():
        have = actual[partition]
        by_id = Counter(score.event.event_id for score in have)
        must = {score.event.event_id: score for score in expected}
        lost += sum(by_id[event_id] == 0 for event_id in must)
        repeated += sum(count - 1 for count in by_id.values() if count > 1)
        unlike += sum(event_id not in must for event_id in by_id)
        unlike += [s.event.event_id for s in have] != [s.event.event_id for s in expected]
        for score in have:
            reference = must.get(score.event.event_id)
            if reference is None:
                continue
            degraded += score.degraded
            if score.degraded and not excused(score, without_redis):
                needless += 1
                examples.append(_needless(score, without_redis))
            if not _equal(score, reference, whole=not score.degraded):
                differing += 1
                examples.append(_difference(partition, score, reference))
    counts = {
        "scores": sum(map(len, actual.values())),
        "scores lost": lost,
        "scores repeated": repeated,
        "scores that differ from the unbroken run": differing,
        "scores marked degraded": degraded,
        "scores marked degraded while Redis answered": needless,
        "late scores": sum(score.late for scores in actual.values() for score in scores),
    }
    must_not = [what for what in counts if what.startswith("scores ") and what != "scores marked degraded"]
    wrong = [f"{what}: {counts[what]}" for what in must_not if counts[what]]
    wrong += examples[:5]
    if unlike:
        wrong.append(f"scores in another order, or of no valid transaction: {unlike}")
    return counts, wrong


def read_at_ms(score: Score) -> float:
    """When its profiles were read, in wall time. It was scored after the model server had answered, which may have taken long."""
    return score.scored_at_ms - score.model_ms


def excused(score: Score, without_redis: list[tuple[int, int]]) -> bool:
    """Whether Redis was away when the profiles were read."""
    return any(begin <= read_at_ms(score) <= end for begin, end in without_redis)


def _needless(score: Score, without_redis: list[tuple[int, int]]) -> str:
    ends = [read_at_ms(score) - end for _, end in without_redis if end < read_at_ms(score)]
    times = f"profiles {score.profile_ms:.0f} ms, model server {score.model_ms:.0f} ms"
    when = f"read {min(ends):.0f} ms after Redis was back and left alone" if ends else "Redis had not been away"
    return f"{score.event.event_id} degraded: {when} ({times})"


def _equal(score: Score, other: Score, *, whole: bool) -> bool:
    """The transaction, its flags and the stream's columns to the last bit; where no profile was missing, the whole vector and
    the score."""
    same = (
        score.event == other.event
        and score.late == other.late
        and score.cold == other.cold
        and score.features[:_STREAM_BYTES] == other.features[:_STREAM_BYTES]
    )
    return same and (
        not whole or (score.features == other.features and score.score == other.score and score.decision == other.decision)
    )


def _difference(partition: int, score: Score, other: Score) -> str:
    """Where two scores of a transaction differ."""
    values, reference = unpacked(score.features), unpacked(other.features)
    columns = [f"{NAMES[i]} {values[i]:g} not {reference[i]:g}" for i in np.flatnonzero(values != reference)]
    flags = f"late {score.late}/{other.late}, cold {score.cold}/{other.cold}, score {score.score}/{other.score}"
    return f"{score.event.event_id} of partition {partition}: {'; '.join(columns[:6]) or 'equal vectors'}; {flags}"
