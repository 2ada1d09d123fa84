"""The drift monitor: scores and outcomes in, drift reports and retrain requests out.

Guarantee: each window is reported exactly once, after any crash: reports, requests and offsets are one transaction
(``streams.engine.shell``), and the windows that are open are rebuilt from the log.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

from features.base.active import WORDS
from features.base.events import Cause, DriftReport, ModelEvent, RetrainRequest
from features.base.settings import Settings
from streams import topics
from streams.drift import metrics
from streams.drift.data import distance
from streams.drift.data.looks import DataMonitor, Judged, ScoreSeen
from streams.drift.intervals import Interval
from streams.drift.performance.mature_outcomes import OutcomeSeen, PerformanceMonitor
from streams.drift.references import References, StoredReferences
from streams.drift.requests import Asking
from streams.engine.codec import BatchDecoder, encode
from streams.engine.core import Output
from streams.engine.repartition_header import Copied, copied
from streams.engine.shell import NEW_S, SINK_BATCH, Shell
from streams.kafka.records import Partition, Produce, Record

_Said = DriftReport | RetrainRequest


class DriftMonitor:
    """Core of the drift monitor. One member reads every partition, for a window is about all of them.

    Its state follows from the logs alone, whatever the order in which topics and partitions were interleaved: windows close
    by watermarks, samples are drawn by transaction id, and labels are taken in the order of their time. A restart replays the
    logs, so it judges every window again without saying so.
    """

    name = "drift-monitor"
    inputs: tuple[str, ...] = (topics.SCORES, topics.OUTCOMES, topics.MODEL_EVENTS)
    #: Model events first: the champion of the end is known, and nothing is asked for in the name of its predecessors.
    outputs: tuple[str, ...] = (topics.DRIFT_REPORTS, topics.RETRAIN_REQUESTS, topics.DLQ)
    replays: tuple[str, ...] = (topics.MODEL_EVENTS, topics.SCORES, topics.OUTCOMES)

    def __init__(self, settings: Settings, references: References) -> None:
        self._settings = settings
        self._scores = BatchDecoder(ScoreSeen, self.name)
        self._outcomes = BatchDecoder(OutcomeSeen, self.name)
        self._events = BatchDecoder(ModelEvent, self.name)
        self._data = DataMonitor(settings, references)
        self._performance = PerformanceMonitor(settings)
        self._asking = Asking()
        self._promoted: str | None = None
        self._settled = False

    @property
    def champion(self) -> str | None:
        """Return the version that was promoted last, else the one that made the newest score; None while there is none."""
        return self._promoted or self._data.scored_by

    def process(self, records: Sequence[Record]) -> Output:
        """Take a batch; return the reports of the windows that it closed, and the requests that follow from them."""
        if not self._settled:
            self._settle()
        letters, messages = self._take(records)
        key = self._settings.model.encode()
        output = Output(letters, newest_ms=self._data.watermark.time_ms)
        for item in messages:
            if isinstance(item, DriftReport):
                output.counted.append(partial(_measure, item))
                output.produce.append(Produce(topics.DRIFT_REPORTS, key, encode(item)))
            else:
                output.counted.append(metrics.RETRAIN_REQUESTS.labels(item.cause).inc)
                output.produce.append(Produce(topics.RETRAIN_REQUESTS, key, encode(item)))
        return output

    def restore(self, records: Sequence[Record]) -> None:
        """Take a batch that was processed before a restart."""
        self._take(records, again=True)

    def _settle(self) -> None:
        """Note that the logs have been read again. After a repartition, close what was closed before it, though the new
        partitions lag behind."""
        self._settled = True
        marks = self._data.watermark, self._performance.watermark
        if any(mark.has_copies for mark in marks):
            for mark in marks:
                mark.settle()
            self._take([])

    def forget(self, partitions: Sequence[Partition]) -> None:
        """Drop partitions. A window cannot be parted again, so a topic's state goes when its last partition has gone."""
        scores_topic, outcomes_topic, events_topic = self.inputs
        self._settled = False
        gone: dict[str, list[int]] = {topic: [] for topic in self.inputs}
        for topic, partition in partitions:
            gone[topic].append(partition)
        self._data.watermark.forget(gone[scores_topic])
        self._performance.watermark.forget(gone[outcomes_topic])
        if gone[scores_topic] and self._data.watermark.empty:
            self._data.clear()
        if gone[outcomes_topic] and self._performance.watermark.empty:
            self._performance.clear()
        if gone[events_topic]:
            self._asking = Asking()
            self._promoted = None

    def _take(self, records: Sequence[Record], again: bool = False) -> tuple[list[Produce], list[_Said]]:
        scores_topic, outcomes_topic, events_topic = self.inputs
        by_topic: dict[str, list[Record]] = {topic: [] for topic in self.inputs}
        for record in records:
            by_topic[record.topic].append(record)
        _, events, bad_events = self._events.decode(by_topic[events_topic])
        scored, scores, bad_scores = self._scores.decode(by_topic[scores_topic])
        came, outcomes, bad_outcomes = self._outcomes.decode(by_topic[outcomes_topic])
        for event in events:
            self._see(event)
        messages: list[_Said] = []
        self._data.take([r.partition for r in scored], scores, _copies(scored, again))
        for judged in self._data.advance():
            messages += self._after_data(judged)
        faulty = self._data.faulty
        self._performance.take([r.partition for r in came], outcomes, faulty, _copies(came, again))
        for report in self._performance.advance(self._data.watermark.time_ms, self.champion, faulty):
            messages += self._after_performance(report, faulty)
        messages += self._first_model()
        return [*bad_events, *bad_scores, *bad_outcomes], messages

    def _see(self, event: ModelEvent) -> None:
        if event.model != self._settings.model:
            return
        self._asking.see(event)
        if event.state == "promoted" and event.version is not None:
            self._promoted = event.version
        elif event.state == "rolled_back":
            # The scores say which version serves again.
            self._promoted = None

    def _after_data(self, judged: Judged) -> list[_Said]:
        report = judged.report
        if not judged.drifted:
            return [report]
        if report.model_version != self.champion:
            report.action = f"none: {self.champion} is champion by now"
            return [report]
        key = f"data_drift-{report.model}-{report.model_version}-{report.window_start_ms}"
        reason = (
            f"{report.share_drifted:.0%} of the watched columns drifted in {report.evidence['windows_in_a_row']} windows in a row"
        )
        evidence = {
            "share_drifted": report.share_drifted,
            "features": {name: report.features[name] for name in report.evidence["drifted"]},
            "report_id": report.report_id,
        }
        return self._ask(report, "data_drift", key, reason, evidence, self._data.faulty)

    def _after_performance(self, report: DriftReport, faulty: list[Interval]) -> list[_Said]:
        if report.verdict != "concept_drift":
            return [report]
        key = self._asking.numbered(f"concept_drift-{report.model}-{report.model_version}")
        evidence = report.evidence
        reason = (
            f"the share of {WORDS.positives} missed rose from {evidence['error_before']:.0%} to {evidence['error_after']:.0%}"
        )
        return self._ask(report, "concept_drift", key, reason, {**evidence, "report_id": report.report_id}, faulty)

    def _ask(
        self, report: DriftReport, cause: Cause, key: str, reason: str, evidence: dict[str, Any], faulty: list[Interval]
    ) -> list[_Said]:
        """Return the report, and the request that it justifies unless that is asked for already."""
        end_ms = report.window_end_ms
        if not self._asking.may(cause, report.model_version, end_ms):
            report.action = "none: a retraining was asked for already, or is under way"
            return [report]
        self._asking.note(cause, report.model_version, end_ms, key)
        report.action = f"retraining asked for: {key}"
        labels, positives = self._performance.labels()
        evidence["positives"] = positives
        return [report, RetrainRequest(key, report.model, cause, end_ms, reason, labels, evidence, faulty)]

    def _first_model(self) -> list[_Said]:
        """Ask for a first model once there are labels enough."""
        drift = self._settings.drift
        watermark_ms = self._performance.watermark.time_ms
        if self.champion is not None or watermark_ms is None:
            return []
        labels, positives = self._performance.labels()
        if labels < drift.min_labels_first or positives < drift.min_positives_first:
            return []
        if not self._asking.may("no_champion", None, watermark_ms):
            return []
        key = self._asking.numbered(f"no_champion-{self._settings.model}")
        self._asking.note("no_champion", None, watermark_ms, key)
        reason = f"no champion yet, and {labels} outcomes with {positives} {WORDS.positives} to learn from"
        return [RetrainRequest(key, self._settings.model, "no_champion", watermark_ms, reason, labels, {"positives": positives})]


def _copies(records: Sequence[Record], again: bool) -> list[Copied | None]:
    """Return what the headers say. Copies are read ``again``, never processed: what comes now came by itself, whatever its
    headers."""
    return [copied(record) if again and record.headers else None for record in records]


def _measure(report: DriftReport) -> None:
    """Put the newest window on the metrics page."""
    metrics.DRIFT_WINDOWS.labels(report.verdict).inc()
    if report.kind == "data":
        for name, value in report.features.items():
            metrics.DRIFT_FEATURE.labels(name).set(value)
        if report.share_drifted is not None:
            metrics.DRIFT_SHARE.set(report.share_drifted)
        return
    nan = float("nan")
    metrics.PERFORMANCE_AP.set(nan if report.evidence["ap"] is None else report.evidence["ap"])
    metrics.PERFORMANCE_ERROR.set(nan if report.evidence["error"] is None else report.evidence["error"])


def build(settings: Settings) -> Shell:
    """Build the monitor with its shell."""
    # Evidently takes seconds to import; the first window to be judged must not wait for it.
    threading.Thread(target=distance.load, name="evidently", daemon=True).start()
    return Shell(settings, DriftMonitor(settings, StoredReferences(settings)), max_batch=SINK_BATCH, new_s=NEW_S)
