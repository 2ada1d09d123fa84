"""The compiled loops of this process's domain, refused where they were made of other features than the domain has now."""

from __future__ import annotations

from importlib import import_module

from features.base.active import DOMAIN
from features.catalogue.generate import fingerprint

try:
    _loops = import_module(DOMAIN.loops)
except ModuleNotFoundError as error:
    raise ImportError(f"{DOMAIN.loops}, the loops of domain {DOMAIN.name}, is not there: run make features") from error
if fingerprint() != _loops.FINGERPRINT:
    raise ImportError(f"{_loops.__file__} was made of other features than domain {DOMAIN.name} has: run make features")

#: Put each row of a batch into its subject's history and write the stream's columns of its vector.
stream_rows = _loops.stream_rows
#: Write the columns of each vector that are read from Feast.
read_rows = _loops.read_rows
