"""The domain of this process: ``DRIFTLOOP_DOMAIN``, or the default one.

One process serves one domain: vectors, structs and compiled loops are made for it when their modules are loaded. The command line
reads ``domain`` of ``driftloop.toml`` before it loads any of them (``infra.cli.context``). A name without a colon is one of
``features.domains``; ``package.module:OBJECT`` is anybody's.
"""

from __future__ import annotations

import hashlib
import os
import sys
from functools import cache
from importlib import import_module

from features.base.cache_root import compiled_root
from features.base.domain import Domain
from features.base.domain_name import DEFAULT_DOMAIN, serving
from features.base.roles import DomainError

DEFAULT = DEFAULT_DOMAIN


@cache
def load_domain(name: str) -> Domain:
    """Load a domain by its name. Raises DomainError, naming the way out."""
    module, _, attribute = name.partition(":") if ":" in name else (f"features.domains.{name}", ":", "DOMAIN")
    try:
        domain = getattr(import_module(module), attribute)
    except Exception as error:  # whatever a module of somebody else's raises
        raise DomainError(
            f"domain = {name!r} cannot be loaded ({type(error).__name__}: {error});"
            " write a folder of features/domains, or package.module:OBJECT"
        ) from error
    if not isinstance(domain, Domain):
        raise DomainError(f"domain = {name!r} is a {type(domain).__name__}, not a features.base.domain.Domain")
    try:
        domain.check()
    except DomainError:
        raise
    except Exception as error:  # a part of another type than it should have
        raise DomainError(
            f"domain {domain.name}: {type(error).__name__}: {error}; features/base/domain.py says what each part is"
        ) from error
    return domain


def _keep_compiled_apart(domain: Domain) -> None:
    """Give the compiled functions a folder by what the domain makes of them: numba keeps them by their source, and a domain's
    windows and numbers are constants in them that it does not look at."""
    numbers = (tuple(domain.windows.items()), domain.counterpart_days, domain.row_flags, domain.parameters, domain.present)
    key = hashlib.sha256(repr(numbers).encode()).hexdigest()[:10]
    os.environ[_NUMBA] = str(compiled_root() / f"{domain.name}-{key}")
    if (numba := sys.modules.get("numba")) is not None:
        numba.config.CACHE_DIR = os.environ[_NUMBA]


_NUMBA = "NUMBA_CACHE_DIR"
_NAME = serving()
DOMAIN = load_domain(_NAME)
_keep_compiled_apart(DOMAIN)
ROLES = DOMAIN.roles
WORDS = DOMAIN.words
