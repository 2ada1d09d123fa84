"""The Faust app around the controller: agents, the table, the timer and the web page. Started by ``driftloop run control``."""

from __future__ import annotations

import logging
import time
from typing import Any

import faust
from confluent_kafka import KafkaException
from faust.types import TP
from faust.types.streams import StreamT
from faust.web import Request, Response, View
from mode import Service

from features.base.settings import Settings
from retrain.control.announced import Announced
from retrain.control.controller import Controller
from retrain.control.faust.committed_reader import ReadCommittedConsumer, ReadCommittedTransport
from retrain.control.faust.credentials import credentials
from retrain.control.faust.progress import EndOffsets, Progress
from retrain.control.faust.status import Face, page
from retrain.control.faust.topics import APP_ID, RUNS_TABLE
from retrain.control.launcher import Launcher
from retrain.control.publisher import NotPublished, Publisher, read_announced
from retrain.control.rollout import Rollout
from retrain.control.run_records import Run, decode, encode
from serving.store.model_store import StoreError
from streams import topics
from streams.engine.health_page import serve
from streams.kafka.records import Record

log = logging.getLogger(__name__)

#: How often runs are looked at and positions committed.
TURN_S = 0.2
#: How often the model server is asked for its status.
ROLL_S = 0.5
REQUESTS = TP(topics.RETRAIN_REQUESTS, 0)
REPORTS = TP(topics.DRIFT_REPORTS, 0)
EVENTS = TP(topics.MODEL_EVENTS, 0)


def faust_app(settings: Settings) -> faust.App:
    """Return the app with the settings that work on Kafka 4 (docs/control.md); every topic must be there already."""
    app = faust.App(
        APP_ID,
        # Else variables such as BROKER_URL or WEB_PORT, which Celery and others use, would win over what is said here.
        env={},
        broker=f"kafka://{settings.bootstrap}",
        broker_credentials=credentials(settings),
        datadir=settings.dir / "control",
        store="memory://",
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=1,
        # A killed control is missed after this long; its successor comes back under the same name and need not wait.
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.5,
        consumer_group_instance_id=f"{APP_ID}-0",
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=TURN_S,
        producer_acks=-1,
        web_host=settings.network.host("control"),
        web_bind=settings.network.bind.control,
        web_port=settings.ports.control,
        # The loop waits for a run to be seen as ended, never for a stream: an idle stream is the normal case here.
        stream_wait_empty=False,
    )
    app.transport = ReadCommittedTransport(app.conf.broker_consumer, app)
    return app


class ControlApp:
    """Wires the controller to Faust. One per process."""

    def __init__(self, settings: Settings, announced: Announced) -> None:
        self.settings = settings
        self.announced = announced
        self.app = faust_app(settings)
        self.table = self.app.Table(RUNS_TABLE, key_type=str, partitions=1)
        self.rollout = Rollout(settings, announced)
        publisher = Publisher(settings, announced)
        self.controller = Controller(settings, publisher, Launcher(settings), announced, self.rollout, self._save)
        # Reports before requests: a report may cause a request (see Progress.behind).
        self.progress = Progress([REPORTS, REQUESTS, EVENTS], EndOffsets(settings))
        self.turned_at = time.monotonic()
        self.rolled_at = 0.0
        self.trouble = "control is starting"
        self._wire()

    @property
    def consumer(self) -> ReadCommittedConsumer:
        consumer: Any = self.app.consumer
        assert isinstance(consumer, ReadCommittedConsumer)
        return consumer

    def health(self) -> list[str]:
        """Return what is wrong, in words."""
        reasons = [self.trouble] if self.trouble else []
        quiet = time.monotonic() - self.turned_at
        if quiet > 60.0:
            reasons.append(f"control: no turn of the loop for {quiet:.0f} s")
        return reasons

    async def look(self) -> None:
        """Take one turn of everything. Raises NotPublished, StoreError."""
        await self.controller.turn()
        await self.controller.roll()
        self.rolled_at = time.monotonic()

    async def _save(self, run: Run) -> None:
        # Faust's own `table[key] = value` only queues the changelog record, needs a stream (or the producer's metadata,
        # which it does not wait for), and has no acknowledgement to wait for. So: the record first, then the memory.
        key, value, table = run.request.idempotency_key, encode(run), self.table
        sent = await table.changelog_topic.send(
            key=key, value=value, partition=0, key_serializer=table.key_serializer, value_serializer=table.value_serializer
        )
        await sent
        table.data[key] = value

    async def _turn(self) -> None:
        try:
            await self.controller.turn()
            if time.monotonic() - self.rolled_at > ROLL_S:
                await self.controller.roll()
                self.rolled_at = time.monotonic()
            await self.progress.commit(self.consumer)
        except (NotPublished, StoreError) as error:
            self.trouble = str(error)
            log.warning("%s", error)
        except Exception as error:
            # A timer that raises takes the whole app down, and with it the agents: report it and turn again.
            self.trouble = f"{type(error).__name__}: {error}"
            log.exception("a turn failed")
        else:
            self.trouble = ""
        self.turned_at = time.monotonic()

    def _wire(self) -> None:
        app, controller, progress = self.app, self.controller, self.progress

        async def requests(stream: StreamT[bytes]) -> None:
            async for event in stream.events():
                if progress.begin(REQUESTS, event.message.offset):
                    await controller.request(_record(event))
                    progress.handled(REQUESTS, event.message.offset)

        async def reports(stream: StreamT[bytes]) -> None:
            async for event in stream.events():
                if progress.begin(REPORTS, event.message.offset):
                    await controller.report(_record(event))
                    progress.handled(REPORTS, event.message.offset)

        async def events(stream: StreamT[bytes]) -> None:
            async for event in stream.events():
                if progress.begin(EVENTS, event.message.offset):
                    await controller.model_event(_record(event))
                    progress.handled(EVENTS, event.message.offset)

        for tp, work in ((REQUESTS, requests), (REPORTS, reports), (EVENTS, events)):
            topic = app.topic(
                tp.topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw", partitions=1
            )
            app.agent(topic, name=f"{APP_ID}.{work.__name__}")(work)

        async def restore() -> None:
            controller.restore(decode(dict(value)) for value in self.table.values())

        async def status(view: View, request: Request) -> Response:
            return view.json(await page(self._face(), self.look))

        app.task(restore)
        app.timer(interval=TURN_S, name="turn")(self._turn)
        app.page("/status")(status)

        class Runs(Service):
            """Ends the runs when the app stops."""

            async def on_stop(self) -> None:
                await controller.stop()

        app.service(Runs)

    def _face(self) -> Face:
        return Face(self.controller, self.rollout, self.announced, self.progress, self.consumer)


def _record(event: Any) -> Record:
    message = event.message
    headers = message.headers or []
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
    return Record(message.topic, message.partition, message.offset, message.key, message.value, pairs)


def main(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; ends by SystemExit, as Faust's worker does. Raises KafkaException where no broker answers."""
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    try:
        announced = read_announced(settings, settings.model)
    except KafkaException:
        log.exception("model-events at %s cannot be read; is the broker up (driftloop status)?", settings.bootstrap)
        raise
    control = ControlApp(settings, announced)
    serve(settings.ports.metrics.get("control", 0), control.health, host=settings.network.bind.metrics)
    faust.Worker(control.app, loglevel="INFO", redirect_stdouts=False, workdir=settings.dir).execute_from_commandline()
