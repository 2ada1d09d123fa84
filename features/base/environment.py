"""What the environment of another installation must not do to driftloop: its Spark, Java, Python and libraries are its own.

A data team's shell names its own Spark, its own Java options, its own Python path. Programs that driftloop starts read these
names, too. What does harm is listed here, with the reason, and left out before a child or a Spark session starts; what is left
out is said. Whatever is not listed stays. docs/environment.md is the page for people.
"""

from __future__ import annotations

import logging
import os
import sys
import sysconfig
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import NamedTuple

from features.base.network import LOOPBACK

log = logging.getLogger(__name__)

#: A locale that every C library with UTF-8 has: decimal points, the alphabet of ASCII, and file names in UTF-8.
LOCALE = "C.UTF-8"


class Foreign(NamedTuple):
    """Variables of another installation: exact names, or with ``*`` at the end all that begin so; and the harm that they do."""

    names: tuple[str, ...]
    harm: str

    def holds(self, name: str) -> bool:
        """Tell whether a variable is meant."""
        return any(name.startswith(own[:-1]) if own.endswith("*") else name == own for own in self.names)


PYTHON = (
    Foreign(("PYTHONHOME",), "names the library of another Python"),
    Foreign(("PYTHONWARNINGS",), "turns warnings of libraries into errors"),
    Foreign(("PYTHONOPTIMIZE",), "takes away the docstrings and assertions that libraries live by"),
    Foreign(("PYTHONINSPECT",), "keeps a process that has ended, waiting at a prompt"),
    Foreign(("PYTHONIOENCODING", "PYTHONUTF8", "PYTHONCOERCECLOCALE"), "has texts written in another encoding than UTF-8"),
)
JAVA = (
    Foreign(("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"), "gives Kafka and Spark heaps, agents and debug ports"),
    Foreign(("CLASSPATH",), "mixes jars of others into Kafka's and Spark's"),
)
LIBRARIES = (
    Foreign(("KERAS_BACKEND", "KERAS_HOME", "TF_USE_LEGACY_KERAS"), "has training use another backend or another Keras"),
    Foreign(("NUMBA_DISABLE_JIT",), "makes the compiled features a hundred times slower"),
    Foreign(("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"), "mixes metrics of all processes, in files"),
    Foreign(("WEB_CONCURRENCY",), "is meant for another web server"),
)
#: Which Spark it is, and how it begins.
SPARK = (
    Foreign(("SPARK_HOME",), "names another Spark, of another version than our pyspark"),
    Foreign(("PYSPARK_SUBMIT_ARGS", "PYSPARK_DRIVER_*", "PYSPARK_GATEWAY_*"), "starts another driver than this process"),
    Foreign(("SPARK_REMOTE", "SPARK_CONNECT_*", "SPARK_API_MODE"), "has sessions begin at a remote server"),
)
#: A cluster's, of which a Spark on this machine must know nothing; one at ``--master yarn`` needs them.
CLUSTER = (
    Foreign(("SPARK_*", "PYSPARK_*"), "configures another Spark"),
    Foreign(("HADOOP_*", "YARN_*", "HIVE_CONF_DIR"), "has Spark look for files and work in a cluster"),
)

#: What the programs of a platform must not see.
ALL = (*PYTHON, *JAVA, *LIBRARIES, *SPARK, *CLUSTER)

#: Packages that an entry of PYTHONPATH must not bring: ours are pinned. Every Spark that is unpacked somewhere has a pyspark.
_PINNED = (
    *("pyspark", "py4j", "numpy", "pandas", "pyarrow", "tensorflow", "keras", "sklearn", "numba", "feast"),
    *("kserve", "kfp", "faust", "redis", "confluent_kafka", "grpc", "pydantic", "msgspec", "supervisor", "duckdb"),
    *("onnxruntime", "typer", "rich"),
)
#: Beside pyspark lies its way to Java, in a zip file.
_ZIPS = ("py4j-", "pyspark")


def foreign(environ: Mapping[str, str], what: tuple[Foreign, ...] = ALL) -> dict[str, str]:
    """Return the variables in ``environ`` that do harm, each with its harm."""
    harms = {name: next((entry.harm for entry in what if entry.holds(name)), "") for name in environ}
    return {name: harm for name, harm in sorted(harms.items()) if harm}


def harms(environ: Mapping[str, str], what: tuple[Foreign, ...] = ALL) -> dict[str, str]:
    """Return what ``without`` leaves out, with the harm: variables, and entries of PYTHONPATH."""
    brought = python_path(environ.get("PYTHONPATH", ""))[1]
    return foreign(environ, what) | {f"PYTHONPATH={entry}": "brings its own version of what is pinned here" for entry in brought}


def without(environ: Mapping[str, str], what: tuple[Foreign, ...] = ALL) -> dict[str, str]:
    """Return a copy for a program of ours: less what does harm, texts in UTF-8, no proxy before loopback, and of PYTHONPATH what
    brings no other version of a package that is pinned here."""
    harmful = foreign(environ, what)
    kept = {name: value for name, value in environ.items() if name not in harmful}
    kept["PYTHONUTF8"] = "1"
    if sys.platform == "linux":
        kept["LC_ALL"] = LOCALE
    if (path := kept.pop("PYTHONPATH", "")) and (own := python_path(path)[0]):
        kept["PYTHONPATH"] = own
    spare_loopback(kept)
    return kept


def drop(what: tuple[Foreign, ...]) -> None:
    """Take what does harm out of this process's own environment, and say so in one log line where there was any."""
    harmful = foreign(os.environ, what)
    for name in harmful:
        del os.environ[name]
    if harmful:
        log.warning("%s", sentence(harmful))


def sentence(harmful: Mapping[str, str]) -> str:
    """Say what is left out, and why: a line."""
    reasons: dict[str, list[str]] = {}
    for name, harm in harmful.items():
        reasons.setdefault(harm, []).append(name)
    listed = "; ".join(f"{', '.join(names)} ({harm})" for harm, names in reasons.items())
    return f"left out of the environment, as another installation's: {listed}"


def python_path(value: str) -> tuple[str, list[str]]:
    """Divide PYTHONPATH: return what may stay, as it was written, and the entries that bring a package which is pinned here."""
    own = {Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")}
    kept: list[str] = []
    dropped: list[str] = []
    for entry in value.split(os.pathsep):
        (dropped if entry and Path(entry).resolve() not in own and _brings_pinned(Path(entry)) else kept).append(entry)
    return os.pathsep.join(kept), dropped


def _brings_pinned(entry: Path) -> bool:
    if entry.suffix == ".zip":
        return entry.name.startswith(_ZIPS)
    return any((entry / name / "__init__.py").is_file() or (entry / f"{name}.py").is_file() for name in _PINNED)


def spare_loopback(environ: MutableMapping[str, str]) -> None:
    """Add loopback to ``no_proxy`` where a proxy is named: for libraries that read the environment themselves."""
    if not any(name.lower().endswith("_proxy") and name.lower() != "no_proxy" and value for name, value in environ.items()):
        return
    spared = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    names = [name.strip() for name in spared.split(",") if name.strip()]
    if "*" not in names:
        names += [name for name in (LOOPBACK, "localhost", "::1") if name not in names]
    # Both ways to write it: each library knows one of them, and lower case comes first.
    environ["no_proxy"] = environ["NO_PROXY"] = ",".join(names)


def entered(environ: Mapping[str, str], utf8: bool) -> dict[str, str]:
    """Return the environment in which this very process should have begun: Python has read these variables by now.

    ``utf8``: whether it writes texts in UTF-8. The same as ``environ`` where all is well.
    """
    harmful = {name for name in foreign(environ, PYTHON) if name not in ("PYTHONUTF8", "PYTHONCOERCECLOCALE")}
    wanted = {name: value for name, value in environ.items() if name not in harmful}
    if not utf8:
        wanted["PYTHONUTF8"] = "1"
    if (path := wanted.get("PYTHONPATH", "")) and python_path(path)[1]:
        wanted["PYTHONPATH"] = python_path(path)[0]
    return wanted


def begin_again() -> None:
    """Begin this process again where its environment did harm to Python itself; else mend what libraries will read of it.

    The same command line is executed in the mended environment, so the process keeps its pid. What is left out is said once.
    """
    wanted = entered(os.environ, utf8=_writes_utf8())
    if wanted != dict(os.environ) and sys.executable:
        if gone := {name: harm for name, harm in harms(os.environ, PYTHON).items() if name not in wanted}:
            log.warning("%s", sentence(gone))
        sys.stderr.flush()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], wanted)
    drop(LIBRARIES)
    spare_loopback(os.environ)


def _writes_utf8() -> bool:
    encodings = (sys.getfilesystemencoding(), getattr(sys.stdout, "encoding", None) or "utf-8", _locale_encoding())
    return all(name.lower().replace("-", "") == "utf8" for name in encodings)


def _locale_encoding() -> str:
    import locale

    return locale.getpreferredencoding(False)
