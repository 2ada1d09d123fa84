"""Label joiner: scores and labels in, outcomes out.

A transaction's outcome is its first label, as soon as score and label are both there; without a label it matures as genuine
when the watermark of its partition passes ``event_time + delay``. The watermark is the newest event time among the partition's
scores; the partitions of scores and labels match (same key, same number), so one partition's state needs nothing of another's.

| what comes | outcome |
| --- | --- |
| score and label, whichever first | the label's verdict at label time |
| score, no label until the watermark passes the delay | genuine, ``matured``, at event time + delay |
| fraud label after that | a second outcome, ``late``, at label time |
| genuine label after that | nothing new: it counted as genuine already |
| fraud label after a genuine one | a second outcome, ``late``: the analyst was wrong |
| any other second label | nothing: the first one stands |
| label whose score has not come ``delay`` after the label | the label's verdict without score, at label time + delay |

Guarantee: each outcome of this table exactly once, after any crash: outcomes and offsets are one transaction
(``streams.engine.shell``).

Transactions are remembered for one more delay after their outcome, to know late and repeated labels; a label later than that
gives a late outcome without score if it says fraud. Memory: about 0.4 kB for each transaction of the last two delays, and the
labels that wait.

State is rebuilt on a restart from the logs, labels first, so that no score matures for want of a label that is further down
(``replays``). That hides when each label came: one that came after its transaction was forgotten was remembered from then on.
So an old label that is read again is remembered for two delays from the restart on, or the same label once more would be a
second outcome. The way to less memory: scores read a second time by a consumer that stays one delay behind, so that only labels
are held.

A label says whether a payment was fraud, who says so, and when. What it says of the payment itself (event time, card, terminal)
is only taken where the score is not known. A label that lies in the future is not taken at all (``LabelIntake``).

Where the delay changed, what matured by the earlier one stays said, and what is pending waits for the new one: a log that is read
again goes by the delay of then (``streams.engine.settings_history``). Likewise a label that was refused stays refused.

After a repartition a partition's watermark is another one than before. So the copies say what had matured
(``streams.engine.repartition_header``), and time does not pass before a score comes by itself.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from features.base import names
from features.base.events import AmountMinor, EventTime, Id, Label, Outcome, Score
from features.base.settings import Settings
from features.catalogue.windows import HOUR_MS
from streams import topics
from streams.engine import future
from streams.engine.codec import BatchDecoder, encode
from streams.engine.core import Output, dead_letter
from streams.engine.repartition_header import copied
from streams.engine.settings_history import History, at, by_limits
from streams.engine.shell import NEW_S, SINK_BATCH, Shell
from streams.kafka.records import Produce, Record

_NAME = "label-joiner"


class JoinLimits(NamedTuple):
    """See the settings ``labels.delay_days`` and ``scoring.allowed_lead_hours``; a lead of 0 is none. Notes
    (``streams.engine.commit_metadata``) from before labels had a lead hold the delay alone."""

    delay_ms: int
    lead_ms: int = 0


class JoinedTransaction(msgspec.Struct, gc=False):
    """What the joiner needs of a transaction; the rest of a score is skipped unread."""

    transaction_id: Id
    event_time_ms: EventTime
    card_id: Id
    terminal_id: Id
    amount_minor: AmountMinor


class JoinedScore(msgspec.Struct, gc=False):
    """What the joiner needs of a score."""

    transaction: JoinedTransaction
    score: float | None = None
    threshold: float | None = None
    model_version: str | None = None
    unusual: bool | None = None


names.check_view(JoinedScore, Score)


class _Known(msgspec.Struct, gc=False):
    """A transaction: pending while ``verdict`` is None."""

    score: JoinedScore | None
    verdict: bool | None = None


class LabelIntake:
    """What the joiner takes of the labels: those that can be read and do not lie in the future (``streams.engine.future``).

    An outcome has its label's time, and what is known of a terminal is read as of its newest outcome: one of the century to come
    would hide the others. So both times of a label count. Decides for each record by itself and is a pure function of the log
    and of the limits that counted at the time.
    """

    def __init__(self, lead_ms: int) -> None:
        self._lead_ms = lead_ms
        self._histories: dict[int, History] = {}
        self._decoder = BatchDecoder(Label, _NAME)

    def take(self, records: Iterable[Record]) -> tuple[list[Record], list[Label], list[Produce]]:
        """The records that are taken, their labels, and the dead letters of the others."""
        good, labels, dead = self._decoder.decode(records)
        ahead = [_is_ahead(label, record, self._lead_ms) for record, label in zip(good, labels, strict=True)]
        if not any(ahead):
            return good, labels, dead
        judged = list(zip(good, labels, ahead, strict=True))
        dead += [dead_letter(record, _NAME, _why_ahead(label, record)) for record, label, refused in judged if refused]
        taken = [(record, label) for record, label, refused in judged if not refused]
        return [record for record, _ in taken], [label for _, label in taken], dead

    def decided(self, partition: int, history: History) -> None:
        """By what limits (``JoinLimits``) this partition of ``labels`` was processed so far."""
        self._histories[partition] = history

    def again(self, records: Iterable[Record]) -> tuple[list[Record], list[Label]]:
        """Of records that were processed before, those that were taken then, and their labels.

        Only here are copies what they say: a producer may set any header. A copy was taken in its old log, and that counts: the
        times at which the broker took the two differ, and so may the limits.
        """
        good, labels, _ = self._decoder.decode(records)
        taken = [
            (record, label)
            for record, label in zip(good, labels, strict=True)
            if not _is_ahead(label, record, self._lead_at(record)) or (record.headers and copied(record) is not None)
        ]
        return [record for record, _ in taken], [label for _, label in taken]

    def forget(self, partition: int) -> None:
        """It went to another member."""
        self._histories.pop(partition, None)

    def _lead_at(self, record: Record) -> int:
        history = self._histories.get(record.partition)
        return JoinLimits(*at(history, record.offset)).lead_ms if history else self._lead_ms


@dataclass(slots=True)
class _Partition:
    #: By what it is processed; of then, while a log is read again.
    delay: int
    watermark: int = -1
    #: What happened until then and is decided is forgotten; a longer delay does not bring it back.
    forgotten: int = -1
    #: Whether a score came by itself. Until then all are copies (``streams.engine.repartition_header``), which say themselves
    #: what had matured.
    live: bool = False
    #: Pending and recently decided transactions, by id.
    known: dict[str, _Known] = field(default_factory=dict)
    #: (event time, id) of pending transactions.
    maturing: list[tuple[int, str]] = field(default_factory=list)
    #: Labels without their score, and (label time, id, whether the outcome was said before a copy) of them.
    waiting: dict[str, Label] = field(default_factory=dict)
    expiring: list[tuple[int, str, bool]] = field(default_factory=list)
    #: (event time, id) of decided transactions, which are forgotten two delays after it.
    leaving: list[tuple[int, str]] = field(default_factory=list)
    #: The same of what a label decided while the logs were read again; their time may have passed when that is done.
    restored: list[tuple[int, str]] = field(default_factory=list)

    def remembered(self, known: _Known) -> JoinedScore | None:
        """The score, unless it would be forgotten by now: after a restart some are there that an unbroken run has let go."""
        score = known.score
        return score if score is not None and score.transaction.event_time_ms > self.forgotten else None


class LabelJoiner:
    """Pure core. ``delay_ms`` is ``settings.labels.delay_ms``; ``lead_ms``: how far a label may lie ahead of the broker's clock,
    0: any."""

    name = _NAME
    inputs: tuple[str, ...] = (topics.LABELS, topics.SCORES)
    #: In this order, see above.
    outputs: tuple[str, ...] = (topics.OUTCOMES, topics.DLQ)
    replays: tuple[str, ...] = (topics.LABELS, topics.SCORES)

    def __init__(self, delay_ms: int, lead_ms: int = 0) -> None:
        self.limits = JoinLimits(delay_ms, lead_ms)
        #: Of scores; those of labels are with the intake.
        self._histories: dict[tuple[str, int], History] = {}
        self._restoring = False
        self._partitions: dict[int, _Partition] = {}
        self._scores = BatchDecoder(JoinedScore, self.name)
        self._labels = LabelIntake(lead_ms)

    def process(self, records: Sequence[Record]) -> Output:
        """Outcomes of a batch, keyed by terminal. Labels are taken first, and time passes once, at the end of the batch."""
        output = Output()
        self._remember_restored()
        outcomes = self._take(records, output)
        output.produce += [Produce(topics.OUTCOMES, outcome.terminal_id.encode(), encode(outcome)) for outcome in outcomes]
        watermarks = (self._partitions[record.partition].watermark for record in records if record.partition in self._partitions)
        output.newest_ms = max((time for time in watermarks if time >= 0), default=None)
        return output

    def restore(self, records: Sequence[Record]) -> None:
        """The same, and nothing is said: these outcomes are in the log already."""
        self._restoring = True
        try:
            # Time passes with scores, so their history says which delay counted; labels come first, and decide nothing by it.
            # Which of these were taken, the history of their own partition says.
            for part, limits in by_limits(records, self._histories):
                for (_, number), found in limits.items():
                    self._partition(number).delay = JoinLimits(*found).delay_ms
                self._take(part, Output())
        finally:
            self._restoring = False

    def decided(self, partition: tuple[str, int], history: History) -> None:
        """See ``streams.engine.settings_history.Limited``."""
        topic, number = partition
        if topic == topics.LABELS:
            self._labels.decided(number, history)
        else:
            self._histories[partition] = history

    def forget(self, partitions: Sequence[tuple[str, int]]) -> None:
        """Drop partitions. Scores and labels of one number are assigned together, so either of them says it."""
        for place in partitions:
            self._partitions.pop(place[1], None)
            self._histories.pop(place, None)
            self._labels.forget(place[1])

    @property
    def held(self) -> int:
        """Transactions and labels in memory."""
        return sum(len(p.known) + len(p.waiting) for p in self._partitions.values())

    def _take(self, records: Sequence[Record], output: Output) -> list[Outcome]:
        of_labels = [record for record in records if record.topic == topics.LABELS]
        if self._restoring:
            label_records, labels = self._labels.again(of_labels)
        else:
            label_records, labels, letters = self._labels.take(of_labels)
            output.produce += letters
        score_records, scores, score_letters = self._scores.decode(r for r in records if r.topic == topics.SCORES)
        output.produce += score_letters
        outcomes: list[Outcome] = []
        for record, label in zip(label_records, labels, strict=True):
            _, joined_ms = self._before(record)
            partition = self._partition(record.partition)
            said = joined_ms is not None and label.label_time_ms <= joined_ms
            self._take_label(partition, label, outcomes, said)
        for record, score in zip(score_records, scores, strict=True):
            partition, (is_copy, joined_ms) = self._partition(record.partition), self._before(record)
            partition.live |= not is_copy
            self._take_score(partition, score, outcomes, joined_ms)
        for number in dict.fromkeys(record.partition for record in score_records):
            self._pass_time(self._partitions[number], outcomes)
        return outcomes

    def _remember_restored(self) -> None:
        for partition in self._partitions.values():
            partition.delay, now = self.limits.delay_ms, partition.watermark
            for time, transaction_id in partition.restored:
                heapq.heappush(partition.leaving, (time if time > partition.forgotten else now, transaction_id))
            partition.restored.clear()

    def _partition(self, number: int) -> _Partition:
        return self._partitions.setdefault(number, _Partition(self.limits.delay_ms))

    def _before(self, record: Record) -> tuple[bool, int | None]:
        """Whether the record is a copy, and how far its old partition had come. Copies are read again, never processed."""
        found = copied(record) if self._restoring and record.headers else None
        return (False, None) if found is None else (True, found.joined_ms)

    def _take_label(self, partition: _Partition, label: Label, outcomes: list[Outcome], said: bool) -> None:
        known = partition.known.get(label.transaction_id)
        if known is None:
            if label.event_time_ms <= partition.forgotten:
                # Its transaction is forgotten: it was decided, as genuine as far as anybody can tell.
                self._decide(partition, label.transaction_id, _Known(None), label.is_fraud)
                if label.is_fraud:
                    outcomes.append(_labelled(label, None, label.label_time_ms, late=True))
                return
            first = partition.waiting.get(label.transaction_id)
            if first is None:
                heapq.heappush(partition.expiring, (label.label_time_ms, label.transaction_id, said))
            if first is None or (label.is_fraud and not first.is_fraud):
                partition.waiting[label.transaction_id] = label
        elif known.verdict is None:
            self._decide(partition, label.transaction_id, known, label.is_fraud)
            outcomes.append(_labelled(label, known.score, label.label_time_ms))
        elif label.is_fraud and not known.verdict:
            known.verdict = True
            outcomes.append(_labelled(label, partition.remembered(known), label.label_time_ms, late=True))

    def _take_score(self, partition: _Partition, score: JoinedScore, outcomes: list[Outcome], joined_ms: int | None) -> None:
        transaction = score.transaction
        partition.watermark = max(partition.watermark, transaction.event_time_ms)
        if transaction.transaction_id in partition.known:
            return  # the label's wait ended before the score came, or a producer repeated the id
        known = partition.known[transaction.transaction_id] = _Known(score)
        label = partition.waiting.pop(transaction.transaction_id, None)
        if label is None and joined_ms is not None and transaction.event_time_ms <= joined_ms:
            self._decide(partition, transaction.transaction_id, known, False, by_label=False)
        elif label is None:
            heapq.heappush(partition.maturing, (transaction.event_time_ms, transaction.transaction_id))
        else:
            self._decide(partition, transaction.transaction_id, known, label.is_fraud)
            outcomes.append(_labelled(label, score, label.label_time_ms))

    def _pass_time(self, partition: _Partition, outcomes: list[Outcome]) -> None:
        now = partition.watermark
        if partition.live:
            self._decide_due(partition, now, outcomes)
        partition.forgotten = max(partition.forgotten, now - 2 * partition.delay)
        while partition.leaving and partition.leaving[0][0] <= partition.forgotten:
            partition.known.pop(heapq.heappop(partition.leaving)[1], None)

    def _decide_due(self, partition: _Partition, now: int, outcomes: list[Outcome]) -> None:
        delay = partition.delay
        while partition.maturing and partition.maturing[0][0] + delay <= now:
            time, transaction_id = heapq.heappop(partition.maturing)
            known = partition.known.get(transaction_id)
            if known is not None and known.verdict is None and known.score is not None:
                self._decide(partition, transaction_id, known, False, by_label=False)
                outcomes.append(_matured(known.score, time + delay))
        while partition.expiring and partition.expiring[0][0] + delay <= now:
            time, transaction_id, said = heapq.heappop(partition.expiring)
            label = partition.waiting.pop(transaction_id, None)
            if label is not None:
                self._decide(partition, transaction_id, _Known(None), label.is_fraud)
                if not said:
                    outcomes.append(_labelled(label, None, time + delay))

    def _decide(self, partition: _Partition, transaction_id: str, known: _Known, verdict: bool, by_label: bool = True) -> None:
        """Set the verdict, and plan to forget: a delay after the transaction matures, and not before the watermark has moved
        on.
        """
        known.verdict = verdict
        partition.known[transaction_id] = known
        event_time = known.score.transaction.event_time_ms if known.score else partition.watermark
        leaving = partition.restored if self._restoring and by_label else partition.leaving
        heapq.heappush(leaving, (event_time, transaction_id))


def _is_ahead(label: Label, record: Record, lead_ms: int) -> bool:
    return future.is_ahead(max(label.event_time_ms, label.label_time_ms), record.appended_ms, lead_ms)


def _why_ahead(label: Label, record: Record) -> future.EventAhead:
    """Names the time that lies further ahead: once that has come, so has the other."""
    if label.label_time_ms > label.event_time_ms:
        return future.reason(label.label_time_ms, record.appended_ms, "label_time_ms")
    return future.reason(label.event_time_ms, record.appended_ms)


def _labelled(label: Label, score: JoinedScore | None, outcome_ms: int, late: bool = False) -> Outcome:
    # What the label says of the payment may be wrong, and its terminal's other outcomes would pay for it.
    payment = score.transaction if score else label
    return Outcome(
        transaction_id=label.transaction_id,
        card_id=payment.card_id,
        terminal_id=payment.terminal_id,
        event_time_ms=payment.event_time_ms,
        outcome_time_ms=outcome_ms,
        is_fraud=label.is_fraud,
        source=label.source,
        amount_minor=score.transaction.amount_minor if score else None,
        score=score.score if score else None,
        threshold=score.threshold if score else None,
        model_version=score.model_version if score else None,
        unusual=score.unusual if score else None,
        late=late,
    )


def _matured(score: JoinedScore, outcome_ms: int) -> Outcome:
    transaction = score.transaction
    return Outcome(
        transaction_id=transaction.transaction_id,
        card_id=transaction.card_id,
        terminal_id=transaction.terminal_id,
        event_time_ms=transaction.event_time_ms,
        outcome_time_ms=outcome_ms,
        is_fraud=False,
        source="matured",
        amount_minor=transaction.amount_minor,
        score=score.score,
        threshold=score.threshold,
        model_version=score.model_version,
        unusual=score.unusual,
    )


def build(settings: Settings) -> Shell:
    """The joiner with its shell."""
    core = LabelJoiner(settings.labels.delay_ms, int(settings.scoring.allowed_lead_hours * HOUR_MS))
    return Shell(settings, core, max_batch=SINK_BATCH, new_s=NEW_S)
