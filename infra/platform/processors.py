"""``driftloop run``: the processors that the topology names, in this process."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

from features.base.gc_tuning import spare_collections
from features.base.settings import Settings
from infra.errors import PlatformError
from infra.platform import repartition_journal
from infra.security import acl
from streams.engine.runner import Runnable
from streams.engine.shell import Shell
from streams.kafka.access import check
from streams.topology import TOPOLOGY, Processor, Topology, TopologyError


def run_processors(names: list[str], settings: Settings, topology: Topology = TOPOLOGY) -> int:
    """Run the named processors in this process until SIGTERM; return the exit code.

    Raises PlatformError for an unknown name, for one that takes a process of its own beside others, and where a repartition is
    unfinished; Refused where the broker would not let a processor do its work.
    """
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    _known(names, topology)
    for name in names:
        _admitted(settings, name, topology)
    if topology[names[0]].alone:
        _function(topology[names[0]])(settings.as_user(names[0]))
        return 0
    # Half of it is no log to bring a state back from.
    repartition_journal.refuse_unfinished(settings)
    from streams.engine.runner import run

    runnables = [built(name, settings, topology) for name in names]
    spare_collections()
    return run(runnables, settings.ports.metrics.get(topology.process_of(names), 0), settings.network.bind.metrics)


def built(name: str, settings: Settings, topology: Topology = TOPOLOGY) -> Runnable:
    """Build a processor that can run beside others, as the Kafka user of its name.

    Raises PlatformError where its entry names no function, or its core is not what its entry says.
    """
    processor = topology[name]
    made: Runnable = _function(processor)(settings.as_user(name))
    if isinstance(made, Shell):
        try:
            processor.check(made.core)
        except TopologyError as error:
            raise PlatformError(str(error)) from error
    return made


def _function(processor: Processor) -> Callable[[Settings], Any]:
    try:
        return processor.load()
    except TopologyError as error:
        raise PlatformError(str(error)) from error


def _known(names: list[str], topology: Topology) -> None:
    unknown = [name for name in names if name not in topology]
    if unknown:
        known = ", ".join(processor.name for processor in topology)
        raise PlatformError(f"no processor named {', '.join(unknown)}; there are {known}")
    alone = [name for name in names if topology[name].alone]
    if alone and len(names) > 1:
        raise PlatformError(f"{alone[0]} takes a process of its own; run nothing beside it")


def _admitted(settings: Settings, name: str, topology: Topology) -> None:
    """Raise Refused where the broker would not let the processor do its work: better than a stream that stands still."""
    if topology[name].streams:
        access = acl.of_processor(topology[name])
        check(settings.as_user(name), access.reads, access.writes)
