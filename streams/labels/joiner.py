"""Join scores and labels into outcomes.

A transaction's outcome is its label, as soon as score and label are both there; of several labels the newest counts
(``streams.labels.verdict``). Without a label it matures as negative
when the watermark of its partition passes ``event_time + delay``. The watermark is the newest event time among the partition's
scores; the partitions of scores and labels match (same key, same number), so one partition's state needs nothing of another's
(``streams.labels.partition_memory``).

| what comes | outcome |
| --- | --- |
| score and label, whichever first | the label's verdict at label time |
| score, no label until the watermark passes the delay | negative, ``matured``, at event time + delay |
| positive label after that | another outcome, ``late``, at label time |
| negative label after that | nothing new: it counted as negative already |
| newer label that says otherwise than the one before | another outcome, ``late``, at label time |
| label that says the same, is older, or comes again | nothing: it is counted |
| score of an event of another kind (a refund), its label | none; the label is counted (``driftloop_labels_ignored_total``) |
| label without a score of its subject ``delay`` after it | the label's verdict without score, at label time + delay |

Guarantee: each outcome of this table exactly once, after any crash: outcomes and offsets are one transaction
(``streams.engine.shell``).

State is rebuilt on a restart from the logs, labels first, so that no score matures for want of a label that is further down
(``replays``).

A label says whether an event was positive, who says so, and when. Its subject must be the event's. What else it says of the event
(event time, counterpart) is only taken where the score is not known. A label that lies in the future is not taken at all
(``streams.labels.label_intake``).

Where the delay changed, what matured by the earlier one stays said, and what is pending waits for the new one: a log that is read
again goes by the delay of then (``streams.engine.settings_history``). Likewise a label that was refused stays refused, and one
that said nothing by the rule of then, when the first label stood, has said nothing.

After a repartition a partition's watermark is another one than before. So the copies say what had matured
(``streams.engine.repartition_header``), and time does not pass before a score comes by itself.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from functools import partial

from features.base.active import ROLES, WORDS
from features.base.events import Outcome
from features.base.settings import Settings
from features.catalogue.windows import HOUR_MS
from streams import topics
from streams.engine.codec import BatchDecoder, encode
from streams.engine.core import Output, Wait
from streams.engine.homes import WHERE_THEY_LIE, Homes
from streams.engine.moved_counts import MovedCounts
from streams.engine.partitioner_setting import homes_of, refuse_another
from streams.engine.repartition_header import copied
from streams.engine.settings_history import Histories, History
from streams.engine.shell import NEW_S, SINK_BATCH, Shell
from streams.kafka.records import Partition, Produce, Record
from streams.labels import metrics
from streams.labels.label_intake import PROCESSOR, JoinLimits, LabelIntake
from streams.labels.outcomes import JoinedScore
from streams.labels.partition_memory import PartitionMemory
from streams.wire import wire as registered
from streams.wire.wire import Wire

log = logging.getLogger(__name__)


class LabelJoiner:
    """Pure core. ``delay_ms`` is ``settings.labels.delay_ms``; ``lead_ms``: how far a label may lie ahead of the broker's clock,
    0: any; ``homes``: where labels belong (without it, where they lie); ``wire`` reads labels that are not plain JSON."""

    name = PROCESSOR
    inputs: tuple[str, ...] = (topics.LABELS, topics.SCORES)
    #: To its own input it moves labels that lie in another partition than their subject's scores.
    outputs: tuple[str, ...] = (topics.OUTCOMES, topics.LABELS, topics.DLQ)
    #: In this order, see above.
    replays: tuple[str, ...] = (topics.LABELS, topics.SCORES)

    def __init__(self, delay_ms: int, lead_ms: int = 0, homes: Homes = WHERE_THEY_LIE, wire: Wire | None = None) -> None:
        self.limits = JoinLimits(delay_ms, lead_ms, homes.code, corrects=1)
        self._homes, self._moved = homes, MovedCounts(homes)
        #: Of scores; those of labels are with the intake.
        self._histories = Histories()
        self._restoring = self._warned = False
        self._partitions: dict[int, PartitionMemory] = {}
        self._scores = BatchDecoder(JoinedScore, self.name)
        self._labels = LabelIntake(lead_ms, homes, wire)

    def process(self, records: Sequence[Record]) -> Output:
        """Return the outcomes of a batch, keyed by counterpart. Labels are taken first, and time passes once, at the end of the
        batch."""
        output = Output()
        for memory in self._partitions.values():
            memory.go_on(self.limits.delay_ms)
            memory.ignored = memory.unmatched = 0
        outcomes = self._take(records, output)
        output.produce += [Produce(topics.OUTCOMES, outcome.counterpart.encode(), encode(outcome)) for outcome in outcomes]
        if ignored := sum(memory.ignored for memory in self._partitions.values()):
            output.counted.append(partial(metrics.IGNORED.inc, ignored))
        if unmatched := sum(memory.unmatched for memory in self._partitions.values()):
            output.counted.append(partial(self._count_unmatched, unmatched))
        watermarks = (self._partitions[record.partition].watermark for record in records if record.partition in self._partitions)
        for name, count in self._corrections().items():
            output.counted.append(partial(metrics.CORRECTIONS.labels(name).inc, count))
        output.newest_ms = max((time for time in watermarks if time >= 0), default=None)
        return output

    def wait_with(self, wait: Wait) -> None:
        """Wait for a schema registry by ``wait`` from now on (``streams.engine.core.Waits``)."""
        if self._labels.wire is not None:
            self._labels.wire.wait_with(wait)

    @property
    def waits_for(self) -> str:
        """Return what is waited for, where it has a name (``streams.engine.core.SaysWhy``)."""
        return self._labels.wire.waits_for if self._labels.wire is not None else ""

    def restore(self, records: Sequence[Record]) -> None:
        """Do the same, and say nothing: these outcomes are in the log already."""
        self._restoring = True
        try:
            # Time passes with scores, so their history says which delay counted; labels come first, and decide nothing by it.
            # Which of these were taken, the history of their own partition says.
            for part, limits in self._histories.parts(records):
                for (_, number), of_then in limits.items():
                    self._partition(number).delay = JoinLimits(*of_then).delay_ms
                self._take(part, Output())
        finally:
            self._restoring = False
            self._corrections()

    def decided(self, partition: Partition, history: History) -> None:
        """Note by what limits a partition was processed so far (``streams.engine.settings_history.Limited``).

        Raises SettingsError where that was by another partitioner.
        """
        refuse_another(self._homes, (JoinLimits(*limits).partitioner for _, limits in history), partition[0])
        (self._labels if partition[0] == topics.LABELS else self._histories).decided(partition, history)

    def forget(self, partitions: Sequence[Partition]) -> None:
        """Drop partitions. Scores and labels of one number are assigned together, so either of them says it."""
        for _, number in partitions:
            self._partitions.pop(number, None)
        self._histories.forget(partitions)
        self._labels.forget((topics.LABELS, number) for _, number in partitions)

    @property
    def held(self) -> int:
        """Return how many transactions and labels are in memory."""
        return sum(memory.held for memory in self._partitions.values())

    def _take(self, records: Sequence[Record], output: Output) -> list[Outcome]:
        of_labels = [record for record in records if record.topic == topics.LABELS]
        if self._restoring:
            label_records, labels = self._labels.again(of_labels)
        else:
            label_records, labels, letters, astray = self._labels.take(of_labels)
            output.produce += letters
            if astray:
                output.produce += [self._homes.move(stray, self.name) for stray in astray]
                output.counted += self._moved.count(astray)
        score_records, scores, score_letters = self._scores.decode(r for r in records if r.topic == topics.SCORES)
        output.produce += score_letters
        outcomes: list[Outcome] = []
        for record, label in zip(label_records, labels, strict=True):
            _, joined_ms = self._before(record)
            published = joined_ms is not None and label.label_time_ms <= joined_ms
            corrects = not self._restoring or self._labels.corrects(record)
            if (outcome := self._partition(record.partition).take_label(label, published, corrects)) is not None:
                outcomes.append(outcome)
        for record, score in zip(score_records, scores, strict=True):
            if (outcome := self._partition(record.partition).take_score(score, *self._before(record))) is not None:
                outcomes.append(outcome)
        for number in dict.fromkeys(record.partition for record in score_records):
            outcomes += self._partitions[number].pass_time()
        return outcomes

    def _count_unmatched(self, unmatched: int) -> None:
        metrics.UNMATCHED.inc(unmatched)
        if not self._warned:
            self._warned = True
            log.warning(
                "%d labels met no %s of their %s within labels.delay_days; their outcomes have no score. Send the %s and the %s "
                "of the %s itself (docs/producers.md); more are counted by driftloop_labels_unmatched_total",
                unmatched,
                WORDS.event,
                WORDS.subject,
                ROLES.id,
                ROLES.subject,
                WORDS.event,
            )

    def _corrections(self) -> Counter[str]:
        """Return what labels did to verdicts that were there since the last call."""
        corrections: Counter[str] = Counter()
        for memory in self._partitions.values():
            corrections += memory.corrections
            memory.corrections.clear()
        return corrections

    def _partition(self, number: int) -> PartitionMemory:
        memory = self._partitions.get(number)
        if memory is None:
            memory = self._partitions[number] = PartitionMemory(self.limits.delay_ms)
        memory.restoring = self._restoring
        return memory

    def _before(self, record: Record) -> tuple[bool, int | None]:
        """Tell whether the record is a copy, and how far its old partition had come. Copies are read again, never processed."""
        header = copied(record) if self._restoring and record.headers else None
        return (False, None) if header is None else (True, header.joined_ms)


def build(settings: Settings) -> Shell:
    """Build the joiner with its shell."""
    lead_ms = int(settings.scoring.allowed_lead_hours * HOUR_MS)
    core = LabelJoiner(settings.labels.delay_ms, lead_ms, homes_of(settings), registered.of(settings))
    return Shell(settings, core, max_batch=SINK_BATCH, new_s=NEW_S)
