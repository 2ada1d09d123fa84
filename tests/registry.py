"""A real schema registry for tests: Apicurio, with Confluent's API, in memory.

Its 109 MB come once from Maven Central by name and lie in the cache folder as ``apicurio-registry-VERSION/``
(``infra.services.cache_folder``).
"""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from features.base.files import move_folder
from infra.platform.ports import free_ports
from infra.services import cache_folder, jars, java
from infra.services.locks import exclusive

VERSION = "3.0.9"
_NAME = "apicurio-registry-app"
_SHA256 = "2b28181501a20cbf6efcd77f9b7153908fc01f3d3a7c32024c0bd9e1b04c8a43"
_TIMEOUT_S, _START_S = 600, 240
#: The module's POM has a parent that Ivy cannot find; the one file is all that is needed of it.
_SETTINGS = """<ivysettings>
  <settings defaultResolver="central"/>
  <resolvers><ibiblio name="central" m2compatible="true" usepoms="false"/></resolvers>
</ivysettings>
"""
_MODULE = f"""<ivy-module version="2.0" xmlns:m="http://ant.apache.org/ivy/maven">
  <info organisation="driftloop" module="registry"/>
  <dependencies>
    <dependency org="io.apicurio" name="{_NAME}" rev="{VERSION}" transitive="false" conf="*->default">
      <artifact name="{_NAME}" type="tar.gz" ext="tar.gz" m:classifier="all"/>
    </dependency>
  </dependencies>
</ivy-module>
"""


@dataclass(frozen=True)
class Running:
    """A registry; ``url``: of Confluent's API."""

    url: str
    process: subprocess.Popen[bytes]

    @contextmanager
    def away(self) -> Iterator[None]:
        """Answer nothing within the block. Its schemas are in memory, so it only stands still."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


def runner() -> Path:
    """Return the registry's jar, beside its libraries; fetched on first use."""
    target = cache_folder.folder() / f"apicurio-registry-{VERSION}"
    jar = target / f"{_NAME}-{VERSION}-runner.jar"
    if not jar.exists():
        with exclusive(cache_folder.folder(), _TIMEOUT_S, "fetching the schema registry"):
            if not jar.exists():
                with tempfile.TemporaryDirectory(prefix="registry-", dir=cache_folder.folder()) as work:
                    fresh = Path(work) / "unpacked"
                    with tarfile.open(_fetched(Path(work))) as archive:
                        archive.extractall(fresh, filter="data")
                    shutil.rmtree(target, ignore_errors=True)
                    move_folder(fresh, target)
    return jar


def _fetched(work: Path) -> Path:
    (work / "ivy.xml").write_text(_MODULE)
    (work / "settings.xml").write_text(_SETTINGS)
    command = [java.find(), f"-Divy.default.ivy.user.dir={work}/ivy", "-jar", jars._ivy(), "-settings", work / "settings.xml"]
    command += ["-ivy", work / "ivy.xml", "-cache", work / "downloads", "-types", "tar.gz"]
    command += ["-retrieve", f"{work}/[artifact]-[revision](-[classifier]).[ext]"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    path = work / f"{_NAME}-{VERSION}-all.tar.gz"
    assert path.exists(), done.stdout[-2000:]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == _SHA256, "what was fetched is not what was expected"
    return path


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    """Run a registry that is empty. ``folder``: for its log."""
    port = next(free_ports(set()))
    command = [str(java.find()), "-Xmx400m", "-XX:TieredStopAtLevel=1", "-Dquarkus.http.host=127.0.0.1"]
    command += [f"-Dquarkus.http.port={port}", "-jar", str(runner())]
    with (folder / f"registry-{port}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
        try:
            url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
            _wait(url, process)
            yield Running(url, process)
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    ask = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
    deadline = time.monotonic() + _START_S
    while True:
        try:
            with ask(f"{url}/subjects", timeout=2):
                return
        except OSError:
            assert process.poll() is None, "the registry ended at its start; see its log"
            assert time.monotonic() < deadline, "the registry does not answer; see its log"
            time.sleep(0.3)
