"""What control does, without Faust: requests in, runs and model events out.

::

    request --policy--> declined
                 |
                 +--> running --result.json--> registered / rejected / failed
                        |
                        +-- no result, and nobody is left who could write one --> running again (a few attempts)

Every step is published and acknowledged before it is recorded in the table. A step that is repeated after a crash finds
its event in the log, its run by the lock in the run's folder, and its record by the request's offset.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from features.base.events import DriftReport, ModelEvent, ModelState, RetrainRequest
from features.base.redaction import without_values
from features.base.settings import Settings
from features.catalogue.vector import vector_schema
from retrain.control import metrics, rollback
from retrain.control.announced import Announced
from retrain.control.launcher import Launcher
from retrain.control.policy import Decision, decide
from retrain.control.publisher import NotPublished, Publisher
from retrain.control.rollout import Announcement, Rollout, announcements, unsettled
from retrain.control.run_records import Run, policy_state, run_id
from retrain.control.schedule import due
from retrain.pipeline.result import Result, read_result
from streams.engine.core import dead_letter
from streams.engine.metrics import DLQ
from streams.kafka.records import Record

log = logging.getLogger(__name__)

PROCESSOR = "control"
#: A run that is lost with its machine is launched again; one that takes the machine down with it must not be for ever.
MAX_ATTEMPTS = 3
#: Between two tries to publish while the broker does not answer.
RETRY_S = 1.0

Save = Callable[[Run], Awaitable[None]]


class WrongModel(ValueError):
    """A request for a model that this platform does not serve."""


class Controller:
    """One per platform. ``runs`` is what the table held at the start; ``save`` writes one record to it, acknowledged."""

    def __init__(
        self,
        settings: Settings,
        publisher: Publisher,
        launcher: Launcher,
        announced: Announced,
        rollout: Rollout,
        save: Save,
    ) -> None:
        self._settings = settings
        self._publisher = publisher
        self._launcher = launcher
        self._announced = announced
        self._rollout = rollout
        self._save = save
        self._lock = asyncio.Lock()
        self._restored = asyncio.Event()
        self._runs: dict[str, Run] = {}
        self._taken = 0
        self._scheduled: str | None = None
        self.last_decision: dict[str, str] | None = None
        self.stopping = False

    def restore(self, runs: Iterable[Run]) -> None:
        """Take over what the table holds. Nothing is decided before: agents may get records earlier than this."""
        self._runs = {run.request.idempotency_key: run for run in runs}
        self._restored.set()
        self._count()

    @property
    def runs(self) -> list[Run]:
        return list(self._runs.values())

    @property
    def active(self) -> list[Run]:
        """Return the runs in progress."""
        return [run for run in self._runs.values() if run.state == "running"]

    @property
    def pending(self) -> int:
        """Return how many requests were taken and are not finished; a shadow does not count."""
        return self._taken + len(self.active)

    # Requests

    async def request(self, record: Record) -> None:
        """Take one record of ``retrain-requests``. Never raises: what cannot be taken goes to ``dlq``."""
        self._taken += 1
        try:
            await self._persist(record, self._request)
        finally:
            self._taken -= 1

    async def report(self, record: Record) -> None:
        """Take one record of ``drift-reports``: the clock of the schedule. Never raises."""
        await self._persist(record, self._report)

    async def model_event(self, record: Record) -> None:
        """Take one record of ``model-events``: a roll-back that somebody asks for. Never raises."""
        await self._persist(record, self._model_event)

    async def _persist(self, record: Record, work: Callable[[Record], Awaitable[None]]) -> None:
        """Try until the broker takes what follows; only a record that cannot be worked on at all is given up."""
        while True:
            try:
                await self._restored.wait()
                async with self._lock:
                    await self._unless_stopping()
                    await work(record)
                break
            except NotPublished as error:
                log.warning("%s[%d] %d: %s; trying again", record.topic, record.partition, record.offset, error)
            except Exception as error:
                known = isinstance(error, msgspec.MsgspecError | WrongModel)
                log.warning(
                    "%s[%d] %d goes to dlq: %s",
                    record.topic,
                    record.partition,
                    record.offset,
                    without_values(error),
                    exc_info=not known,
                )
                try:
                    await self._publisher.record(dead_letter(record, PROCESSOR, error))
                except NotPublished as unwritten:
                    log.warning("dlq: %s; trying again", unwritten)
                else:
                    DLQ.labels(PROCESSOR, type(error).__name__).inc()
                    break
            await asyncio.sleep(RETRY_S)

    async def _unless_stopping(self) -> None:
        """Wait to be cancelled once control stops: a record is neither worked on nor acknowledged then; the next start takes
        it."""
        if self.stopping:
            await asyncio.Event().wait()

    async def _request(self, record: Record) -> None:
        request = msgspec.json.decode(record.value or b"", type=RetrainRequest)
        if request.model != self._settings.model:
            raise WrongModel(f"the model that it names is not served here; this platform's model is {self._settings.model!r}")
        known = self._runs.get(request.idempotency_key)
        if known is not None and known.offset == record.offset:
            return
        decision = decide(request, policy_state(self._runs.values()), self._settings.policy)
        await self._publisher.event(self._event("requested", request, reason=request.reason))
        self._note(request, decision)
        if decision.start:
            await self._launch(Run(request=request, offset=record.offset, state="running", reason=decision.reason))
            return
        await self._publisher.event(self._event("declined", request, reason=decision.reason))
        metrics.DECLINED.labels(decision.code).inc()
        if known is None or known.state == "declined":
            await self._record(Run(request=request, offset=record.offset, state="declined", reason=decision.reason))

    async def _report(self, record: Record) -> None:
        report = msgspec.json.decode(record.value or b"", type=DriftReport)
        finished = policy_state(self._runs.values()).finished_ms.get(self._settings.model)
        request = due(self._settings.model, self._settings.policy.schedule_days, report.window_end_ms, finished)
        if request is None or request.idempotency_key in {*self._runs, self._scheduled} or self.active:
            return
        await self._publisher.request(request)
        # The next report may come before this request does.
        self._scheduled = request.idempotency_key

    async def _model_event(self, record: Record) -> None:
        event = msgspec.json.decode(record.value or b"", type=ModelEvent)
        # The rest of the log is this control's own words.
        if event.state == "rollback_requested":
            self._announced.take(event)

    # Runs

    async def turn(self) -> None:
        """Check which runs ended, and do what follows. Raises NotPublished."""
        await self._restored.wait()
        async with self._lock:
            for run in self.active:
                if self.stopping or self._launcher.lives(run.run_id):
                    continue
                result = read_result(self._launcher.run_dir(run.run_id))
                code = self._launcher.exit_code(run.run_id)
                if result is None and code is None and run.attempt < MAX_ATTEMPTS:
                    reason = f"attempt {run.attempt + 1}: control and run {run.run_id} stopped before it had a result"
                    await self._launch(msgspec.structs.replace(run, attempt=run.attempt + 1, reason=reason))
                    continue
                await self._finish(run, result or _without_result(self._launcher, run, code))

    async def _launch(self, run: Run) -> None:
        run = msgspec.structs.replace(run, run_id=run_id(run.request.idempotency_key, run.attempt))
        try:
            launched = self._launcher.start(run.run_id, run.request)
        except OSError as error:
            await self._finish(run, Result(state="failed", reason=f"the pipeline could not be started: {error}"))
            return
        log.info("run %s %s (%s)", run.run_id, "started" if launched else "was there already", run.reason)
        await self._publisher.event(self._event("running", run.request, run_id=run.run_id, reason=run.reason))
        metrics.RUNS.labels("running").inc()
        await self._record(run)

    async def _finish(self, run: Run, result: Result) -> None:
        event = self._event(
            result.state,
            run.request,
            run_id=run.run_id,
            version=result.version,
            previous=result.previous,
            reason=result.reason,
            metrics={name: value for name, value in result.metrics.items() if value is not None and math.isfinite(value)},
        )
        log.info("run %s %s %s %s", run.run_id, result.state, result.version or "", result.reason)
        await self._publisher.event(event)
        metrics.RUNS.labels(result.state).inc()
        await self._record(msgspec.structs.replace(run, state=result.state, version=result.version, reason=result.reason))

    async def stop(self) -> None:
        """End the runs in progress. Their records stay as they are: the next start launches them again."""
        self.stopping = True
        for run in self.active:
            log.info("control stops: ending run %s", run.run_id)
            await asyncio.to_thread(self._launcher.terminate, run.run_id)
        await self._rollout.close()

    # Rollout

    async def roll(self) -> None:
        """Look at the model server once. Raises NotPublished, serving.store.model_store.StoreError."""
        await self._restored.wait()
        async with self._lock:
            await self._carry_out()
            await self._rollout.look()
            await self._answer()
            status = self._rollout.status
            for due_now in announcements(status, self._announced) if status is not None else []:
                run = self._run_of(due_now.version)
                # The deploy step comes before the run's last word: "registered" is to be said first.
                if run is not None or not self.active:
                    await self._announce(due_now, run)

    async def _carry_out(self) -> None:
        """Write the newest roll-back that was asked for, if it may be; an older one that was not written is overtaken."""
        requests = self._announced.rollbacks
        for request in requests:
            await self._rollout.read()
            last = request is requests[-1]
            if rollback.is_written(self._rollout.document, request):
                if not last:
                    await self._publisher.event(rollback.answer(request, "rolled_back"))
                continue
            why_not = (
                await asyncio.to_thread(self._why_not, request) if last else "another roll-back was asked for after this one"
            )
            if why_not is not None:
                log.warning("no roll-back to %s: %s", request.version, why_not)
                await self._publisher.event(rollback.answer(request, "declined", reason=why_not))
                continue
            await self._rollout.roll_back(str(request.version), str(request.idempotency_key))

    def _why_not(self, request: ModelEvent) -> str | None:
        rollout, schema = self._rollout, vector_schema(self._settings.features)
        return rollback.outdated(rollout.document, request) or rollback.refusal(
            rollout.store, rollout.document, self._announced, str(request.version), schema
        )

    async def _answer(self) -> None:
        """Say so where a roll-back is done."""
        status = self._rollout.status
        seen = (status.last_event_time_ms if status is not None else None) or 0
        for request in self._announced.rollbacks:
            if rollback.is_served(self._rollout.document, status, request):
                log.info("rolled back to %s as %s asked: %s", request.version, request.by, request.reason)
                await self._publisher.event(rollback.answer(request, "rolled_back", seen))
                self._count()

    async def _announce(self, announcement: Announcement, run: Run | None) -> None:
        status = self._rollout.status
        seen = (status.last_event_time_ms if status is not None else None) or 0
        event_time = max(seen, run.request.event_time_ms if run is not None else 0)
        event = ModelEvent(
            model=self._settings.model,
            state=announcement.state,
            event_time_ms=event_time or self._rollout.document.updated_at_ms,
            at_ms=_now_ms(),
            idempotency_key=run.request.idempotency_key if run is not None else None,
            run_id=run.run_id if run is not None else None,
            version=announcement.version,
            previous=announcement.previous,
            cause=run.request.cause if run is not None else None,
        )
        log.info("%s is %s", announcement.version, announcement.state)
        await self._publisher.event(event)
        self._count()

    def unsettled(self) -> list[str]:
        """Return why the rollout is not at rest, in words."""
        asked = [f"a roll-back to {request.version} is not done yet" for request in self._announced.rollbacks]
        return asked + unsettled(self._rollout.document, self._rollout.status, self._announced)

    def _run_of(self, version: str) -> Run | None:
        return next((run for run in self._runs.values() if run.version == version), None)

    # Book-keeping

    def _note(self, request: RetrainRequest, decision: Decision) -> None:
        self.last_decision = {"idempotency_key": request.idempotency_key, "code": decision.code, "reason": decision.reason}
        log.info("request %s: %s (%s)", request.idempotency_key, decision.code, decision.reason)

    async def _record(self, run: Run) -> None:
        await self._save(run)
        self._runs[run.request.idempotency_key] = run
        self._count()

    def _count(self) -> None:
        metrics.ACTIVE_RUNS.set(len(self.active))
        champion = self._announced.champion
        metrics.CHAMPION.clear()
        if champion is not None:
            metrics.CHAMPION.labels(champion).set(1)

    def _event(
        self,
        state: ModelState,
        request: RetrainRequest,
        *,
        run_id: str | None = None,
        version: str | None = None,
        previous: str | None = None,
        reason: str = "",
        metrics: dict[str, float] | None = None,
    ) -> ModelEvent:
        return ModelEvent(
            model=request.model,
            state=state,
            event_time_ms=request.event_time_ms,
            at_ms=_now_ms(),
            idempotency_key=request.idempotency_key,
            run_id=run_id,
            version=version,
            previous=previous,
            cause=request.cause,
            reason=reason,
            metrics=metrics or {},
        )


def _without_result(launcher: Launcher, run: Run, code: int | None) -> Result:
    how = f"exit status {code}" if code is not None else f"lost {run.attempt} times"
    return Result(
        state="failed", reason=f"the run ended without a result ({how}); see {launcher.run_dir(run.run_id) / 'log.txt'}"
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
