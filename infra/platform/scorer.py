"""The scorer with its clients: the only processor that asks the model server, which streams do not know."""

from __future__ import annotations

from features.base.settings import Settings
from features.online.cached_reader import Reader
from features.online.store import ProfileReader
from serving.client.client import KServeClient
from serving.server import auth
from streams.engine.partitioner_setting import homes_of
from streams.engine.shell import NEW_S, Shell
from streams.scoring.scorer import Scorer
from streams.scoring.warm_up import warm
from streams.wire import wire


def build(settings: Settings) -> Shell:
    """Build the scorer with its shell, compiled."""
    warm(settings)
    return Shell(settings, core(settings), new_s=NEW_S)


def core(settings: Settings) -> Scorer:
    """Build the scorer with its real clients, without a shell."""
    token = auth.read(settings.token_file)
    model = KServeClient(settings.grpc_address, settings.model, token, settings.scoring.model_timeout_s, settings.model_authority)
    profiles = Reader(ProfileReader(settings), settings.feast)
    return Scorer(settings, model, profiles, homes=homes_of(settings), wire=wire.of(settings))
