"""Kafka's jars, resolved once into the cache by the Ivy that pyspark ships."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from infra import cache, java
from infra.errors import PlatformError
from infra.locks import exclusive

KAFKA = "4.4.0"
SCALA = "2.13"
#: Kafka logs through slf4j 1.7 and ships no backend in its dependencies: without this one a broker that fails says nothing.
LOG4J = "2.25.5"

_MODULE = f"""<ivy-module version="2.0">
  <info organisation="driftloop" module="broker"/>
  <dependencies>
    <dependency org="org.apache.kafka" name="kafka_{SCALA}" rev="{KAFKA}" conf="*->default"/>
    <dependency org="org.apache.logging.log4j" name="log4j-slf4j-impl" rev="{LOG4J}" conf="*->default"/>
  </dependencies>
</ivy-module>
"""
_EXPECTED = (f"kafka_{SCALA}-{KAFKA}.jar", f"kafka-clients-{KAFKA}.jar", f"log4j-slf4j-impl-{LOG4J}.jar")
_TIMEOUT_S = 600


def resolve() -> Path:
    """The folder with all jars; filled on first use (45 MB, half a minute), then only looked up.

    The folder appears whole or not at all: it is filled beside its place and renamed. Raises PlatformError.
    """
    target = place()
    if complete(target):
        return target
    with exclusive(cache.folder(), _TIMEOUT_S, "fetching Kafka"):
        if complete(target):
            return target
        with tempfile.TemporaryDirectory(prefix="kafka-", dir=cache.folder()) as work:
            fresh = Path(work) / "jars"
            _retrieve(Path(work), fresh)
            if not complete(fresh):
                raise PlatformError(f"the Kafka jars that were fetched are not whole (no {_absent(fresh)}); run it again")
            shutil.rmtree(target, ignore_errors=True)
            fresh.rename(target)
    return target


def place() -> Path:
    """Where the jars are, or will be."""
    return cache.folder() / f"kafka-{SCALA}-{KAFKA}"


def complete(folder: Path) -> bool:
    return not _absent(folder)


def _absent(folder: Path) -> str:
    return ", ".join(name for name in _EXPECTED if not (folder / name).is_file())


def _ivy() -> Path:
    # Without importing pyspark: finding the package is enough, and a hundred times faster.
    from importlib.util import find_spec

    spec = find_spec("pyspark")
    places = spec.submodule_search_locations if spec else None
    found = [jar for place in places or [] for jar in Path(place, "jars").glob("ivy-*.jar")]
    if not found:
        raise PlatformError("the package pyspark is missing (its Ivy fetches Kafka); install the extra driftloop[retrain]")
    return found[0]


def _retrieve(work: Path, into: Path) -> None:
    (work / "ivy.xml").write_text(_MODULE)
    pattern = f"{into}/[artifact]-[revision](-[classifier]).[ext]"
    command = [java.find(), f"-Divy.default.ivy.user.dir={work}/ivy", "-jar", _ivy(), "-ivy", work / "ivy.xml"]
    command += ["-cache", work / "downloads", "-types", "jar", "bundle", "-retrieve", pattern]
    try:
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, timeout=_TIMEOUT_S, env={**os.environ}, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PlatformError(f"fetching Kafka took more than {_TIMEOUT_S} s; check the network and run it again") from error
    if done.returncode:
        reason = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()][-3:]
        raise PlatformError(f"fetching Kafka {KAFKA} failed ({' / '.join(reason)}); check the network and run it again")
