"""Jars, resolved once into the cache by the Ivy that pyspark ships: Kafka itself, and Spark's connector to it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from features.base.environment import without
from features.base.files import move_folder
from features.base.web_client import java_proxies
from infra.errors import PlatformError
from infra.services import cache_folder, java
from infra.services.locks import exclusive

#: Not 4.3 or 4.4: a broker of these that is killed can forget to end transactions that it has acknowledged (KAFKA-20734), and
#: what was committed is rolled back (docs/chaos.md).
KAFKA = "4.2.2"
SCALA = "2.13"
#: Kafka logs through slf4j 1.7 and ships no backend in its dependencies: without this one a broker that fails says nothing.
LOG4J = "2.25.5"

#: The connector is of the Spark that pyproject.toml pins.
SPARK = "4.2.0"


@dataclass(frozen=True)
class Bundle:
    """Jars that are fetched together. ``what`` it is to a person; ``folder`` in the cache; (organisation, name, revision) of each
    module, and jars without which the folder is not whole."""

    what: str
    folder: str
    modules: tuple[tuple[str, str, str], ...]
    expected: tuple[str, ...]


BROKER = Bundle(
    f"Kafka {KAFKA}",
    f"kafka-{SCALA}-{KAFKA}",
    (("org.apache.kafka", f"kafka_{SCALA}", KAFKA), ("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J)),
    (f"kafka_{SCALA}-{KAFKA}.jar", f"kafka-clients-{KAFKA}.jar", f"log4j-slf4j-impl-{LOG4J}.jar"),
)
CONNECTOR = Bundle(
    f"Spark's Kafka connector {SPARK}",
    f"spark-kafka-{SCALA}-{SPARK}",
    (("org.apache.spark", f"spark-sql-kafka-0-10_{SCALA}", SPARK),),
    (f"spark-sql-kafka-0-10_{SCALA}-{SPARK}.jar", f"spark-token-provider-kafka-0-10_{SCALA}-{SPARK}.jar"),
)
_TIMEOUT_S = 600


def resolve(bundle: Bundle = BROKER) -> Path:
    """Return the folder with all jars of ``bundle``; filled on first use (Kafka: 45 MB, half a minute), then only looked up.

    The folder appears whole or not at all: it is filled beside its place and renamed. Raises PlatformError.
    """
    target = place(bundle)
    if complete(target, bundle):
        return target
    with exclusive(cache_folder.made(), _TIMEOUT_S, f"fetching {bundle.what}"):
        if complete(target, bundle):
            return target
        with tempfile.TemporaryDirectory(prefix="jars-", dir=cache_folder.folder()) as work:
            fresh = Path(work) / "jars"
            _retrieve(bundle, Path(work), fresh)
            if not complete(fresh, bundle):
                absent = _absent(fresh, bundle)
                raise PlatformError(f"the jars of {bundle.what} that were fetched are not whole (no {absent}); run it again")
            shutil.rmtree(target, ignore_errors=True)
            move_folder(fresh, target)
    return target


def place(bundle: Bundle = BROKER) -> Path:
    """Tell where the jars are, or will be."""
    return cache_folder.folder() / bundle.folder


def complete(folder: Path, bundle: Bundle = BROKER) -> bool:
    return not _absent(folder, bundle)


def _absent(folder: Path, bundle: Bundle) -> str:
    return ", ".join(name for name in bundle.expected if not (folder / name).is_file())


def _module(bundle: Bundle) -> str:
    wanted = "".join(
        f'<dependency org="{org}" name="{name}" rev="{rev}" conf="*->default"/>' for org, name, rev in bundle.modules
    )
    return f"""<ivy-module version="2.0">
  <info organisation="driftloop" module="{bundle.folder}"/>
  <dependencies>{wanted}</dependencies>
</ivy-module>
"""


def _ivy() -> Path:
    # Without importing pyspark: finding the package is enough, and a hundred times faster.
    from importlib.util import find_spec

    spec = find_spec("pyspark")
    places = spec.submodule_search_locations if spec else None
    jars = [jar for place in places or [] for jar in Path(place, "jars").glob("ivy-*.jar")]
    if not jars:
        raise PlatformError("the package pyspark is missing (its Ivy fetches the jars); install the extra driftloop[retrain]")
    return jars[0]


def _retrieve(bundle: Bundle, work: Path, into: Path) -> None:
    (work / "ivy.xml").write_text(_module(bundle))
    pattern = f"{into}/[artifact]-[revision](-[classifier]).[ext]"
    command = [java.find(), *java_proxies(), f"-Divy.default.ivy.user.dir={work}/ivy", "-jar", _ivy(), "-ivy", work / "ivy.xml"]
    command += ["-cache", work / "downloads", "-types", "jar", "bundle", "-retrieve", pattern]
    try:
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            # Java options stay: they may be how this network is crossed.
            env=without(os.environ, ()),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PlatformError(
            f"fetching {bundle.what} took more than {_TIMEOUT_S} s; check the network and run it again"
        ) from error
    if done.returncode:
        reason = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()][-3:]
        raise PlatformError(f"fetching {bundle.what} failed ({' / '.join(reason)}); check the network and run it again")
