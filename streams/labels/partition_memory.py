"""Remember what one partition's outcomes follow from: pending and decided transactions, labels that wait, and the watermark.

Transactions are remembered for one more delay after their outcome, to know late and repeated labels. One that was ever positive
is remembered for LASTING_MS after its newest label, for what was called positive may be withdrawn weeks later. So what is
forgotten counts as negative: a positive label of it gives a late outcome without score, a negative one nothing. Memory: about
0.4 kB for each transaction of the last two delays and for each positive one of the last half year, 0.1 kB more for each that has
a label, and the labels that wait.

A log that is read again hides when each label came: one that came after its transaction was forgotten was remembered from then
on. So an old label that is read again is remembered for two delays from the restart on, or the same label once more would be a
second outcome. The way to less memory: scores read a second time by a consumer that stays one delay behind, so that only labels
are held.
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field

import msgspec

from features.base.durations import DAY_MS
from features.base.events import Label, Outcome
from streams.labels.outcomes import JoinedScore, labelled, matured
from streams.labels.verdict import SILENCE, Verdict, after, kind

#: How long a transaction that was ever positive is remembered after its newest label, two delays at least. A dispute's next turn
#: comes within weeks, by the rules of those who settle it within three months.
LASTING_MS = 180 * DAY_MS


class _Known(msgspec.Struct, gc=False):
    """A transaction: pending while ``verdict`` is None."""

    score: JoinedScore | None
    verdict: Verdict | None = None


class _Waiting(msgspec.Struct, gc=False):
    """What labels say of a transaction whose score has not come. ``label``: the one that made the verdict."""

    label: Label
    verdict: Verdict
    published: bool = False


@dataclass(slots=True)
class PartitionMemory:
    """The state of one partition. What ``take_label``, ``take_score`` and ``pass_time`` return follows from it."""

    #: By what it is processed; of then, while a log is read again.
    delay: int
    #: Whether its log is read again: labels were decided at times that nobody knows any more.
    restoring: bool = False
    #: The newest event time of its scores; -1: none has come.
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
    #: Labels without their score, and (label time, id, whether the outcome was published before a copy) of them.
    waiting: dict[str, _Waiting] = field(default_factory=dict)
    expiring: list[tuple[int, str, bool]] = field(default_factory=list)
    #: (event time, id) of decided transactions, which are forgotten two delays after it.
    leaving: list[tuple[int, str]] = field(default_factory=list)
    #: The same of what a label decided while the logs were read again; their time may have passed when that is done.
    restored: list[tuple[int, str]] = field(default_factory=list)
    #: (label time, id) of those among the left that were ever positive.
    lasting: list[tuple[int, str]] = field(default_factory=list)
    #: What labels did to verdicts that were there (``streams.labels.verdict.kind``), since it was taken from here.
    corrections: Counter[str] = field(default_factory=Counter)
    #: Labels of events that have no outcome (of another kind than the first).
    ignored: int = 0
    #: Labels whose event did not come, under their subject, in time.
    unmatched: int = 0

    @property
    def held(self) -> int:
        """Return how many transactions and labels are in memory."""
        return len(self.known) + len(self.waiting)

    def go_on(self, delay: int) -> None:
        """Go on after the log has been read again; what comes next is new, and is processed by ``delay`` ms."""
        self.delay, self.restoring = delay, False
        for time, event_id in self.restored:
            heapq.heappush(self.leaving, (time if time > self.forgotten else self.watermark, event_id))
        self.restored.clear()

    def take_label(self, label: Label, published: bool = False, corrects: bool = True) -> Outcome | None:
        """Take a label, and return the outcome that follows at once. ``published``: a copy whose
        old partition gave the outcome without score already. ``corrects``: see ``streams.labels.verdict.after``."""
        key = self._key(label)
        known = self.known.get(key)
        if known is not None and known.score is not None and known.score.is_apart:
            self.ignored += 1
            return None
        if self._is_forgotten(known, label):
            return self._take_forgotten(key, label)
        if known is None:
            self._wait(key, label, published, corrects)
            return None
        if known.verdict is None:
            verdict = after(SILENCE, label)
            self._decide(key, known, verdict)
            return labelled(label, known.score, label.label_time_ms, revision=verdict.revision)
        before = known.verdict
        self.corrections[kind(before, label)] += 1
        known.verdict = verdict = after(before, label, corrects)
        if verdict.positive == before.positive:
            return None
        event = known.score.event if known.score else None
        return labelled(label, self._remembered(known), label.label_time_ms, revision=verdict.revision, late=True, event=event)

    def _key(self, label: Label) -> str:
        """Return under what a label is kept: its event's id, or one of its own where that event is another subject's. Whether the
        two share a partition is chance, so they never join."""
        known = self.known.get(label.event_id)
        if known is None or known.score is None or known.score.event.subject == label.subject:
            return label.event_id
        return _of_another(label)

    def _is_forgotten(self, known: _Known | None, label: Label) -> bool:
        """Tell whether the transaction is forgotten, or would be by now: after a restart some are there that an unbroken run has
        let go."""
        if known is None:
            return label.event_time_ms <= self.forgotten
        if known.verdict is None or known.verdict.revision:
            return False
        return (known.score.event if known.score else label).event_time_ms <= self.forgotten

    def _take_forgotten(self, key: str, label: Label) -> Outcome | None:
        """Take a label of a transaction that counted as negative, as far as anybody can tell."""
        self.corrections["positive" if label.positive else "forgotten"] += 1
        if not label.positive:
            return None
        verdict = after(SILENCE, label)
        self._decide(key, _Known(None), verdict)
        return labelled(label, None, label.label_time_ms, revision=verdict.revision, late=True)

    def _wait(self, key: str, label: Label, published: bool, corrects: bool) -> None:
        waiting = self.waiting.get(key)
        if waiting is None:
            heapq.heappush(self.expiring, (label.label_time_ms, key, published))
            self.waiting[key] = _Waiting(label, after(SILENCE, label), published)
            return
        before = waiting.verdict
        self.corrections[kind(before, label)] += 1
        waiting.verdict = after(before, label, corrects)
        if waiting.verdict.positive != before.positive:
            waiting.label = label

    def take_score(self, score: JoinedScore, is_copy: bool, joined_ms: int | None) -> Outcome | None:
        """Take a score, and return the outcome that follows where its label waits. ``joined_ms``: of a copy, how far its old
        partition had come."""
        event = score.event
        self.live |= not is_copy
        self.watermark = max(self.watermark, event.event_time_ms)
        if event.event_id in self.known:
            return None  # the label's wait ended before the score came, or a producer repeated the id
        known = self.known[event.event_id] = _Known(score)
        waiting = self.waiting.pop(event.event_id, None)
        if waiting is not None and waiting.label.subject != event.subject:
            key = _of_another(waiting.label)
            self.waiting[key] = waiting
            heapq.heappush(self.expiring, (waiting.label.label_time_ms, key, waiting.published))
            waiting = None
        if score.is_apart:
            # Nothing becomes of it: neither a label nor time makes an outcome.
            self.ignored += waiting is not None
            self._decide(event.event_id, known, SILENCE, by_label=False)
            return None
        if waiting is not None:
            self._decide(event.event_id, known, waiting.verdict)
            return labelled(waiting.label, score, waiting.label.label_time_ms, revision=waiting.verdict.revision)
        if joined_ms is not None and event.event_time_ms <= joined_ms:
            self._decide(event.event_id, known, SILENCE, by_label=False)
        else:
            heapq.heappush(self.maturing, (event.event_time_ms, event.event_id))
        return None

    def pass_time(self) -> list[Outcome]:
        """Go on to the watermark: return the outcomes that are due, and forget what is decided and old."""
        due = self._decide_due() if self.live else []
        self.forgotten = max(self.forgotten, self.watermark - 2 * self.delay)
        self._forget()
        return due

    def _forget(self) -> None:
        while self.leaving and self.leaving[0][0] <= self.forgotten:
            event_id = heapq.heappop(self.leaving)[1]
            verdict = self._verdict_of(event_id)
            if verdict is not None and verdict.revision:
                heapq.heappush(self.lasting, (verdict.label_ms, event_id))
            elif verdict is not None:
                del self.known[event_id]
        lasts = self.watermark - max(LASTING_MS, 2 * self.delay)
        while self.lasting and self.lasting[0][0] <= lasts:
            event_id = heapq.heappop(self.lasting)[1]
            verdict = self._verdict_of(event_id)
            if verdict is not None and verdict.label_ms > lasts:
                heapq.heappush(self.lasting, (verdict.label_ms, event_id))
            elif verdict is not None:
                del self.known[event_id]

    def _remembered(self, known: _Known) -> JoinedScore | None:
        """Return the score, unless the transaction lies behind the two delays: after a restart some scores are there that an
        unbroken run never had with a label that late, and both must say the same."""
        score = known.score
        return score if score is not None and score.event.event_time_ms > self.forgotten else None

    def _verdict_of(self, event_id: str) -> Verdict | None:
        known = self.known.get(event_id)
        return None if known is None else known.verdict

    def _decide_due(self) -> list[Outcome]:
        watermark, delay = self.watermark, self.delay
        due: list[Outcome] = []
        while self.maturing and self.maturing[0][0] + delay <= watermark:
            time, event_id = heapq.heappop(self.maturing)
            known = self.known.get(event_id)
            if known is not None and known.verdict is None and known.score is not None:
                self._decide(event_id, known, SILENCE, by_label=False)
                due.append(matured(known.score, time + delay))
        while self.expiring and self.expiring[0][0] + delay <= watermark:
            time, event_id, published = heapq.heappop(self.expiring)
            waiting = self.waiting.pop(event_id, None)
            if waiting is not None:
                self._decide(event_id, _Known(None), waiting.verdict)
                if not published:
                    self.unmatched += 1
                    known_ms = max(time + delay, waiting.label.label_time_ms)
                    due.append(labelled(waiting.label, None, known_ms, revision=waiting.verdict.revision))
        return due

    def _decide(self, event_id: str, known: _Known, verdict: Verdict, by_label: bool = True) -> None:
        """Set the verdict, and plan to forget: a delay after the transaction matures, and not before the watermark has moved
        on.
        """
        known.verdict = verdict
        self.known[event_id] = known
        event_time = known.score.event.event_time_ms if known.score else self.watermark
        heapq.heappush(self.restored if self.restoring and by_label else self.leaving, (event_time, event_id))


def _of_another(label: Label) -> str:
    return f"{label.event_id}\0{label.subject}"
