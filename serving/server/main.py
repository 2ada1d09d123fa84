"""The model server's process: REST, gRPC, metrics and the reconciler, from start to SIGTERM.

::

    main -> reconcile once -> bind -> serve -> SIGTERM -> stop taking requests -> finish those in flight (< 5 s) -> exit 0
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import signal
import socket
import sys

from features.base.gc_tuning import spare_collections
from features.base.settings import Settings, SettingsError
from features.base.storage import is_local
from serving.server import auth, tls
from serving.server.engine import Engine
from serving.server.reconciler import POLL_S, REMOTE_POLL_S, Reconciler
from serving.server.sockets import bound
from serving.server.tls import Identity
from serving.store.model_store import ModelStore

log = logging.getLogger(__name__)

PROCESS = "model-server"
#: Longer without a look at the serving document means that the reconciler is stuck.
STUCK_S = 30.0


def main(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises SettingsError where the token, a port or a certificate is missing, or a port is taken.
    """
    for name, port in (("rest", settings.ports.rest), ("grpc", settings.ports.grpc)):
        if not port:
            raise SettingsError(f"ports.{name} is not set; 'driftloop up' picks a port and writes it down")
    token = auth.Token(auth.read(settings.token_file))
    _log_plainly()
    # Before the seconds that KServe takes to import: a port that is taken is said at once.
    bind = settings.network.bind
    sockets = {"rest": bound(bind.model_server, settings.ports.rest, "ports.rest", "model_server")}
    if page := settings.ports.metrics.get(PROCESS):
        sockets["metrics"] = bound(bind.metrics, page, f"ports.metrics.{PROCESS}", "metrics")
    bound(bind.model_server, settings.ports.grpc, "ports.grpc", "model_server").close()
    identity = tls.identity(settings)
    engine = Engine()
    store = ModelStore.of(settings)
    reconciler = Reconciler(store, engine, poll_s=POLL_S if is_local(settings.models_root) else REMOTE_POLL_S)
    # Before anything listens: a server that restarts has its champion at the first request.
    reconciler.step()
    _import_kserve()
    # A full collection walks through all that was imported, 160,000 objects in 80 ms, with calls waiting.
    spare_collections()
    asyncio.run(_serve(settings, identity, token, engine, reconciler, sockets))


async def _serve(
    settings: Settings,
    identity: Identity | None,
    token: auth.Token,
    engine: Engine,
    reconciler: Reconciler,
    sockets: dict[str, socket.socket],
) -> None:
    from fastapi import FastAPI
    from kserve import ModelRepository

    from serving.server import uvicorn_server
    from serving.server.grpc_service import RpcServer
    from serving.server.kserve_dataplane import FixedRepository, ScoringDataPlane
    from serving.server.kserve_model import ScoringModel
    from serving.server.lookup import Lookup
    from serving.server.refusals import add_handlers
    from serving.server.rest import RestServer, add_health

    def health() -> list[str]:
        silent = reconciler.seconds_since_last_look()
        return [f"the reconciler has been silent for {silent:.0f} s"] if silent > STUCK_S else []

    host = settings.network.bind.model_server
    registry = ModelRepository()
    registry.update(ScoringModel(settings.model, engine, Lookup(settings)))
    data_plane = ScoringDataPlane(model_registry=registry)
    repository = FixedRepository(registry)
    rest = RestServer(data_plane, repository, engine, token, health, identity)
    rpc = RpcServer(data_plane, repository, token, host, settings.ports.grpc, identity)

    servers = [asyncio.create_task(rest.serve([sockets["rest"]]))]
    stops = [rest.stop]
    if "metrics" in sockets:
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        add_health(app, health)
        add_handlers(app)
        page = uvicorn_server.Server(uvicorn_server.config(app))
        servers.append(asyncio.create_task(page.serve([sockets["metrics"]])))
        stops.append(page.stop)

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await rpc.start()
    reconciler.start()
    how = ", TLS" if identity else ""
    ports = settings.ports
    log.info("serving %s: REST on %s:%d, gRPC on %s:%d%s", settings.model, host, ports.rest, host, ports.grpc, how)

    asked = asyncio.create_task(stopping.wait())
    # A server that ends by itself ends the process.
    await asyncio.wait([asked, *servers], return_when=asyncio.FIRST_COMPLETED)
    for stop in stops:
        stop()
    await rpc.stop(uvicorn_server.GRACE_S)
    await asyncio.gather(*servers)
    await asyncio.to_thread(reconciler.stop)
    asked.cancel()
    log.info("stopped")


def _import_kserve() -> None:
    """Import KServe without our options: it reads sys.argv when it is imported, and would take them for its own."""
    argv = sys.argv
    sys.argv = argv[:1]
    try:
        importlib.import_module("kserve")
    finally:
        sys.argv = argv


def _log_plainly() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
