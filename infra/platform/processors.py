"""``driftloop run``: which processor is built from what. The only place that knows all of them."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from features.archive import generations, stores
from features.base.gc_tuning import spare_collections
from features.base.settings import Settings
from features.catalogue.vector import vector_schema
from features.catalogue.windows import HOUR_MS
from infra.errors import PlatformError
from infra.platform import repartition_journal
from infra.platform.components import PROCESSES
from infra.security import acl
from streams.engine.runner import Runnable
from streams.engine.shell import Shell
from streams.kafka.access import check

if TYPE_CHECKING:
    from streams.scoring.scorer import Scorer

#: Sinks write files and round trips a batch: fewer, larger batches suit them.
_SINK_BATCH = 20_000
#: A broker that was killed may say for two to four seconds that nothing was committed (docs/chaos.md).
_NEW_S = 6.0


def run_processors(names: list[str], settings: Settings) -> int:
    """Run the named processors in this process until SIGTERM; return the exit code.

    Raises PlatformError for an unknown name, and where a repartition is unfinished.
    """
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in names:
        _admitted(settings, name)
    process = next((name for name, runs in PROCESSES.items() if set(names) <= set(runs)), names[0])
    if names == ["model-server"]:
        from serving.server.main import main as serve

        serve(settings)
        return 0
    if names == ["control"]:
        from retrain.control.faust.app import main as control

        control(settings.as_user(names[0]))
        return 0
    unknown = [name for name in names if name not in SHELLS]
    if unknown:
        known = ", ".join([*SHELLS, "model-server", "control"])
        raise PlatformError(f"no processor named {', '.join(unknown)} that can run with others; there are {known}")
    # Half of it is no log to bring a state back from.
    repartition_journal.refuse_unfinished(settings)
    from streams.engine.runner import run

    shells = [SHELLS[name](settings.as_user(name)) for name in names]
    spare_collections()
    return run(shells, settings.ports.metrics.get(process, 0), settings.network.bind.metrics)


def _admitted(settings: Settings, name: str) -> None:
    """Raises Refused where the broker would not let the processor do its work: better than a stream that stands still."""
    access = acl.BY_USER.get(name)
    if access is not None:
        check(settings.as_user(name), access.reads, access.writes)


def scorer_core(settings: Settings) -> Scorer:
    """The scorer with its real clients, without a shell."""
    from features.online.cached_reader import Reader
    from features.online.store import ProfileReader
    from serving.client.client import KServeClient
    from serving.server import auth
    from streams.scoring.scorer import Scorer

    token = auth.read(settings.token_file)
    model = KServeClient(settings.grpc_address, settings.model, token, settings.scoring.model_timeout_s, settings.model_authority)
    return Scorer(settings, model, Reader(ProfileReader(settings), settings.feast))


def _scorer(settings: Settings) -> Shell:
    from streams.scoring.warm_up import warm

    warm(settings)
    core = scorer_core(settings)
    shell = Shell(settings, core, new_s=_NEW_S)
    core.wait = shell.wait
    return shell


def _feast_writer(settings: Settings) -> Shell:
    from streams.writers.card_activity import FeastSink, FeastWriter

    return Shell(settings, FeastWriter(), FeastSink(settings), _SINK_BATCH, settings.writers.linger_s, new_s=_NEW_S)


def _archive(settings: Settings) -> Shell:
    from streams.writers.archive import Archive, ArchiveSink

    core = Archive(vector_schema(settings.features), generations.read(stores.archive(settings)))
    return Shell(settings, core, ArchiveSink(settings), _SINK_BATCH, settings.writers.linger_s, new_s=_NEW_S)


def _label_joiner(settings: Settings) -> Shell:
    from streams.labels.joiner import LabelJoiner

    core = LabelJoiner(settings.labels.delay_ms, int(settings.scoring.allowed_lead_hours * HOUR_MS))
    return Shell(settings, core, max_batch=_SINK_BATCH, new_s=_NEW_S)


def _terminal_risk(settings: Settings) -> Shell:
    from streams.writers.counterpart_risk import TerminalRisk, TerminalRiskSink

    step_ms = settings.labels.step_hours * HOUR_MS
    core = TerminalRisk(settings.labels.delay_ms, step_ms, generations.read(stores.archive(settings)))
    return Shell(settings, core, TerminalRiskSink(settings), _SINK_BATCH, settings.writers.linger_s, new_s=_NEW_S)


def _drift_monitor(settings: Settings) -> Shell:
    from streams.drift.data import distance
    from streams.drift.monitor import DriftMonitor
    from streams.drift.references import StoredReferences

    # Evidently takes seconds to import; the first window to be judged must not wait for it.
    threading.Thread(target=distance.load, name="evidently", daemon=True).start()
    return Shell(settings, DriftMonitor(settings, StoredReferences(settings)), max_batch=_SINK_BATCH, new_s=_NEW_S)


def _skew(settings: Settings) -> Runnable:
    from streams.drift.skew_watch import SkewWatch

    return SkewWatch(settings)


def _compaction(settings: Settings) -> Runnable:
    from streams.writers.compaction_watch import CompactionWatch

    return CompactionWatch(settings)


SHELLS: dict[str, Callable[[Settings], Runnable]] = {
    "scorer": _scorer,
    "feast-writer": _feast_writer,
    "archive": _archive,
    "label-joiner": _label_joiner,
    "terminal-risk": _terminal_risk,
    "drift-monitor": _drift_monitor,
    "skew": _skew,
    "compaction": _compaction,
}
