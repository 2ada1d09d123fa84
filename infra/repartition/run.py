"""A repartition from its first look to its last: drain, copy, switch, finish; and going on where one was killed.

Raises PlatformError (and SettingsError) where it cannot be done; the platform is then as it was, unless the message says that it
is unfinished.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from features.archive import generations, stores
from features.archive.generations import Generation
from features.base.broker_names import named
from features.base.settings import ADMIN, Settings
from infra.errors import PlatformError
from infra.platform import components, ports, repartition_journal, supervisor, up_down
from infra.platform.repartition_journal import Journal, TopicPlan
from infra.platform.up_down import Progress
from infra.repartition import broker, copying, readers
from infra.repartition.copying import SPREAD, temporary
from infra.repartition.switching import Interrupted, switch
from infra.services.locks import exclusive
from streams import topics
from streams.engine.snapshot_store import Store
from streams.kafka import clients
from streams.kafka.cluster import cluster_id
from streams.kafka.partitioners import Name
from streams.publish.groups import GROUPS
from streams.publish.lockstep import Lockstep, LockstepError
from streams.publish.probe import control_probe
from streams.scoring.scorer import Scorer
from streams.topology import TOPOLOGY

#: What reads or writes the spread topics. The model server and the control plane stay.
PROCESSES = TOPOLOGY.processes_with(SPREAD)
_LOCK_S = 300.0
#: For so long nothing may come: producers that are slow publish every second or so.
_STILL_S = 3.0


@dataclass(frozen=True)
class Wish:
    """What was asked for. ``partitioner`` None: as it is. ``agree`` is told what will be done, and raises where that is not
    wanted."""

    partitions: int
    partitioner: Name | None = None
    timeout_s: float = 300.0
    agree: Callable[[str], None] = lambda plan: None


def repartition(settings: Settings, wish: Wish, progress: Progress) -> Journal:
    """Return what was done. Raises Interrupted where the broker or a producer did not follow: the same call goes on."""
    for variable in ("DRIFTLOOP_PARTITIONS", "DRIFTLOOP_PARTITIONER"):
        if variable in os.environ:
            raise PlatformError(f"{variable} is set and would win over what is written down; unset it first")
    unfinished = repartition_journal.read(settings)
    if unfinished is not None and not settings.bootstrap_servers:
        settings = up_down.services(settings, progress)
    run = _Run(settings, wish, progress)
    with exclusive(settings.dir, _LOCK_S, "up or down"):
        try:
            return run.go(unfinished)
        except KafkaException as error:
            raise Interrupted(
                f"Kafka at {settings.bootstrap}: {error.args[0].str()}; see driftloop status, and run the same command again"
            ) from error


class _Run:
    def __init__(self, settings: Settings, wish: Wish, progress: Progress) -> None:
        self._settings = settings
        self._wish = wish
        self._progress = progress
        self._began = time.monotonic()
        self._admin_settings = settings.as_user(ADMIN)

    def go(self, unfinished: Journal | None) -> Journal:
        admin = self._connected()
        if unfinished is not None and unfinished.phase == "copying":
            self._tell("what was copied", "thrown away")
            self._abandon(admin, unfinished)
            unfinished = None
        if unfinished is None:
            done = self._begin(admin)
        elif unfinished.partitions != self._wish.partitions:
            raise PlatformError(
                f"a repartition to {unfinished.partitions} partitions is unfinished; finish it first, with --partitions "
                f"{unfinished.partitions}"
            )
        else:
            done = unfinished
        self._switch(admin, done)
        self._finish(admin, done)
        return done

    def _connected(self) -> AdminClient:
        settings = self._settings
        if not settings.bootstrap_servers and not settings.ports.kafka:
            raise PlatformError(f"there is no platform in {settings.dir}; run driftloop up first, or name another with --dir")
        admin = clients.admin(self._admin_settings, log_level=2)
        try:
            admin.list_topics(timeout=10)
        except KafkaException as error:
            raise PlatformError(
                f"Kafka at {settings.bootstrap} does not answer ({error.args[0].str()}); run driftloop up first"
            ) from error
        return admin

    def _begin(self, admin: AdminClient) -> Journal:
        """Work up to whole copies: nothing is changed until then, so whatever goes wrong, the platform goes on as before."""
        before, wanted = self._settings.partitions, self._wish.partitions
        existing = broker.partitions(admin, SPREAD)
        for topic in SPREAD:
            if len(existing.get(topic, {})) != before:
                raise PlatformError(
                    f"topic {topic} has {len(existing.get(topic, {}))} partitions and the setting partitions says {before}; "
                    "only topics that are as driftloop up made them can be repartitioned; set partitions (driftloop.toml) to "
                    "what they have: repartition changes the setting, too"
                )
        spread_by = self._wish.partitioner or self._settings.partitioner
        if wanted == before and spread_by == self._settings.partitioner:
            raise PlatformError(f"--partitions is {wanted}, which is what the topics have, and they are spread by {spread_by}")
        self._drain()
        held = {topic: broker.bounds(self._admin_settings, topic, existing[topic]) for topic in SPREAD}
        offsets = sum(end - begin for bounds in held.values() for begin, end in bounds.values())
        self._wish.agree(
            f"{len(SPREAD)} topics, up to {offsets:,} records, are copied from {before} to {wanted} partitions, spread by "
            f"{spread_by}; the processors stand still meanwhile, and producers must"
        )
        running = supervisor.processes(self._settings)
        plan = Journal(
            begun_ms=time.time_ns() // 1_000_000,
            before=before,
            partitions=wanted,
            partitioner=spread_by,
            running=[name for name in PROCESSES if name in running and running[name].wanted],
        )
        repartition_journal.write(self._settings, plan)
        try:
            self._copy(admin, plan, existing)
        except BaseException:
            self._abandon(admin, plan)
            raise
        plan.phase = "switching"
        repartition_journal.write(self._settings, plan)
        return plan

    def _drain(self) -> None:
        """Wait until every processor has caught up, and nothing comes any more. Producers first: behind them nobody ever catches
        up."""
        began = time.monotonic()
        settings = self._admin_settings
        try:
            with Lockstep(settings, GROUPS, [control_probe(settings)], self._wish.timeout_s) as lockstep:
                while time.monotonic() - began < self._wish.timeout_s:
                    first = self._ends()
                    time.sleep(_STILL_S)
                    moved = [topic for topic, ends in self._ends().items() if ends != first[topic]]
                    published = [topic for topic in moved if topic in (topics.EVENTS, topics.LABELS)]
                    if published:
                        raise PlatformError(f"producers still publish to {' and '.join(published)}; stop them first")
                    if not moved and not lockstep.waiting_for():
                        self._tell("processors", "caught up")
                        return
                    lockstep.wait()
        except LockstepError as error:
            raise PlatformError(f"the processors do not catch up: {error}") from error
        raise PlatformError(f"{', '.join(moved)} still grow after {self._wish.timeout_s:.0f} s; try again later")

    def _ends(self) -> dict[str, dict[int, int]]:
        return {topic: broker.ends(self._admin_settings, topic, range_of(self._settings.partitions)) for topic in SPREAD}

    def _copy(self, admin: AdminClient, plan: Journal, existing: dict[str, dict[int, int]]) -> None:
        settings = self._admin_settings
        self._stop(plan.running)
        others = readers.others(settings, admin, plan.before)
        readers.wait_until_left(admin, [*readers.ours(), *others])
        with Lockstep(settings, GROUPS) as lockstep:
            if waiting := lockstep.waiting_for():
                raise PlatformError(f"records came while the processors were stopped ({waiting[0]}); stop producers first")
        plan.readers = others
        held = {topic: broker.bounds(self._admin_settings, topic, existing[topic]) for topic in SPREAD}
        noted = readers.noted(settings, plan.before)
        for topic in SPREAD:
            ends = {p: end for p, (_, end) in held[topic].items()}
            plan.topics[topic] = TopicPlan(
                broker.config(admin, topic),
                existing[topic][0],
                ends,
                copies={p: note.copied for p, note in noted[topic].items()},
                limits={p: note.limits for p, note in noted[topic].items()},
            )
        previous = generations.read(stores.archive(self._settings))
        plan.revisions = previous.revisions + max(plan.topics[topics.OUTCOMES].ends.values())
        plan.letters = broker.ends(settings, topics.DLQ, range_of(1))[0]
        begins = {p: begin for p, (begin, _) in held[topics.EVENTS].items()}
        marks = copying.look(settings, plan, begins, self._count)
        self._tell("subjects", f"spread by {plan.partitioner}")
        for topic in SPREAD:
            wanted = plan.topics[topic]
            own = {"retention.ms": "-1"} | {k: v for k, v in wanted.config.items() if k == "max.message.bytes"}
            broker.make(settings, admin, temporary(topic), plan.partitions, wanted.replicas, own)
        copying.copy(settings, plan, marks, self._count)

    def _switch(self, admin: AdminClient, plan: Journal) -> None:
        for topic in SPREAD:
            if plan.phase == "switching" and not plan.topics[topic].done:
                came = switch(self._admin_settings, admin, plan, topic)
                plan.topics[topic].done = True
                repartition_journal.write(self._settings, plan)
                self._tell(topic, f"has {plan.partitions} partitions" + (f", {came:,} new" if came else ""))
        if plan.phase == "switching":
            plan.phase = "finishing"
            repartition_journal.write(self._settings, plan)

    def _finish(self, admin: AdminClient, plan: Journal) -> None:
        settings = self._settings
        made = Generation(plan.begun_ms, plan.partitions, plan.revisions, plan.letters, plan.partitioner)
        generations.begin(stores.archive(settings), made)
        Store(settings.snapshot_root, named(Scorer.name)).of_cluster(cluster_id(admin, topics.EVENTS)).clear()
        readers.commit(self._admin_settings, plan)
        self._settings = ports.remember(settings, "partitions", str(plan.partitions))
        if self._settings.partitioner != plan.partitioner:
            self._settings = ports.remember(self._settings, "partitioner", f'"{plan.partitioner}"')
        broker.drop(admin, *map(temporary, SPREAD))
        repartition_journal.remove(settings)
        self._start(plan.running)

    def _abandon(self, admin: AdminClient, plan: Journal) -> None:
        """Go back to how it was: the originals are untouched."""
        broker.drop(admin, *map(temporary, SPREAD))
        repartition_journal.remove(self._settings)
        self._start(plan.running)

    def _stop(self, names: list[str]) -> None:
        up_down.stop_parts(self._settings, _parts(names), self._progress, self._began)

    def _start(self, names: list[str]) -> None:
        if not names:
            return
        processes = supervisor.processes(self._settings)
        if "redis" not in processes or not processes["redis"].wanted:
            # The platform went down in between: half of it is no use.
            self._tell("processors", "start with driftloop up")
            return
        up_down.bring_up(self._settings, _parts(names), self._progress, self._began)

    def _count(self, what: str, records: int) -> None:
        self._tell(what, f"{records:,} records")

    def _tell(self, what: str, how: str) -> None:
        self._progress(what, how, time.monotonic() - self._began)


def range_of(count: int) -> dict[int, int]:
    """Return the partitions 0 to count - 1, as ``infra.repartition.broker`` asks for them."""
    return dict.fromkeys(range(count), 0)


def _parts(names: list[str]) -> list[components.Component]:
    return [part for part in components.ALL if part.name in names]
