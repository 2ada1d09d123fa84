"""Skew in production: of each complete day, a sample of what was served is computed again and the difference exported.

A thin watch around ``features.skew``: it looks at the archive now and then, has the newest complete day checked by a child
process, and sets the metrics. Days that go by faster than that (a replayed month) are passed over. Whatever goes wrong is logged
and counted; it never ends the process that the watch lives in.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading

import msgspec

from features.archive import mirror
from features.archive.days import day_name, newest_complete_day
from features.base.durations import DAY_MS
from features.base.redaction import hashed
from features.base.settings import Settings
from features.skew.differences import Difference
from features.skew.report import SkewReport
from streams.drift import metrics

log = logging.getLogger(__name__)

#: A check of a few hundred subjects takes seconds; one that takes this long hangs.
LONGEST_S = 900.0


class CheckFailed(RuntimeError):
    """The child did not answer; the message says why."""


class SkewWatch:
    """Checks complete days until ``stop()``. Runs beside shells (``streams.engine.runner``)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._checked: int | None = None

    def run(self) -> None:
        """Run the loop. Raises nothing."""
        if self._settings.skew.subjects == 0:
            log.info("skew: no subjects are to be checked (skew.subjects = 0)")
        while not self._stop.wait(self._settings.skew.interval_s):
            if self._settings.skew.subjects:
                self.look()

    def look(self) -> SkewReport | None:
        """Check the newest complete day unless it was checked before; None where there is nothing to check, or it failed."""
        try:
            day = newest_complete_day(mirror.archive(self._settings) / "scores")
            if day is None or day == self._checked:
                return None
            report = self._check(day)
        except Exception as error:
            if not self._stop.is_set():
                metrics.SKEW_FAILURES.inc()
                log.warning("skew: the check failed, and is tried again: %s", error, exc_info=not isinstance(error, CheckFailed))
            return None
        self._checked = day
        export(self._settings, report)
        return report

    def stop(self) -> None:
        """End the loop; a check that is running is given up."""
        self._stop.set()
        child = self._child
        if child is not None:
            child.terminate()

    def health(self) -> list[str]:
        """Return an empty list: a restart would mend nothing."""
        return []

    @property
    def checking(self) -> bool:
        """Tell whether a check is running."""
        return self._child is not None

    def _check(self, day: int) -> SkewReport:
        command = [sys.executable, "-P", "-m", "features.skew", str(self._settings.dir), str(day)]
        # Its log lines go where ours go.
        with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as child:
            self._child = child
            try:
                out, _ = child.communicate(timeout=LONGEST_S)
            except subprocess.TimeoutExpired as error:
                child.kill()
                raise CheckFailed(f"{day_name(day)}: no answer for {LONGEST_S:.0f} s") from error
            finally:
                self._child = None
        if child.returncode:
            raise CheckFailed(f"{day_name(day)}: the check ended with exit code {child.returncode}; see the lines before")
        return msgspec.json.decode(out.splitlines()[-1] if out else b"", type=SkewReport)


def export(settings: Settings, report: SkewReport) -> None:
    """Set the metrics to what was found, and say it in the log."""
    metrics.SKEW_VECTORS.set(report.vectors)
    metrics.SKEW_LAST_DAY.set(report.day * DAY_MS / 1000)
    for source, differences in report.sources.items():
        metrics.SKEW_VALUES.labels(source).set(differences.differing)
        metrics.SKEW_LARGEST.labels(source).set(differences.largest)
    summary = ", ".join(
        f"{source} {differences.differing} of {differences.values}" for source, differences in report.sources.items()
    )
    log.info(
        "skew on %s: %d vectors of %d subjects, values that differ: %s",
        day_name(report.day),
        report.vectors,
        report.subjects,
        summary,
    )
    subject = report.sources.get("history")
    if subject is not None and subject.first:
        log.warning("skew on %s: the first one is %s", day_name(report.day), _words(settings, subject.first[0]))


def _words(settings: Settings, difference: Difference) -> str:
    # Where it is, and not what it is: values of features are made of measures.
    return (
        f"{difference.feature} of event {hashed(settings, difference.event_id)} (subject {hashed(settings, difference.subject)}, "
        f"{difference.kafka_partition}:{difference.kafka_offset}); driftloop parity shows the values"
    )


def build(settings: Settings) -> SkewWatch:
    """Build the watch as a processor."""
    return SkewWatch(settings)
