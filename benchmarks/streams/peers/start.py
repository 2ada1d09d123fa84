"""How the peers are started, and the environment that Quix Streams gets."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.feast.readers import VIEWS
from benchmarks.streams.child import ROOT, Child
from features.base.settings import Settings
from features.catalogue.vector import WIDTH
from features.online import feast_encoding as encoding
from infra.services import cache_folder

QUIX = ("quixstreams==3.28.1", "redis==6.4.0", "requests==2.32.5")
_ARRAYS = {"terminal_risk": ["tiles"], "customer_profile": ["profile", "usual"]}


def faust(settings: Settings, source: str, target: str) -> Child:
    """``benchmarks.streams.peers.by_faust``."""
    return Child(settings, "faust", ["-P", "-m", "benchmarks.streams.peers.by_faust", source, target])


def quix(settings: Settings, python: Path, group: str, source: str, target: str, *, calls: bool) -> Child:
    """``benchmarks.streams.peers.by_quix``; without ``calls`` its state alone."""
    options: dict[str, object] = {
        "bootstrap": settings.bootstrap,
        "group": group,
        "state": str(settings.dir / "quix"),
        "source": source,
        "target": target,
    }
    if calls:
        options |= {
            "rest": f"{settings.rest_url}/v2/models/{settings.model}/infer",
            # Where it is, not what it is: every user of the machine can read a process's arguments.
            "token_file": str(settings.token_file),
            "redis": settings.redis_address,
            "width": WIDTH,
            "keys": {view: [encoding.key_prefix(key).hex(), encoding.PROJECT.encode().hex()] for view, key in VIEWS.items()},
            "fields": {
                view: [encoding.timestamp_field(view).hex(), *(encoding.feature_field(view, name).hex() for name in names)]
                for view, names in _ARRAYS.items()
            },
        }
    script = str(ROOT / "benchmarks" / "streams" / "peers" / "by_quix.py")
    return Child(settings, "quix", [script, json.dumps(options)], python=str(python), environment={"PYTHONPATH": ""})


def quix_python() -> Path:
    """The Python of an environment that holds Quix Streams; made once, in the cache. Raises RuntimeError where pip fails."""
    folder = cache_folder.folder() / "peers" / "-".join(QUIX).replace("==", "_")
    python = folder / "bin" / "python"
    done = folder / "complete"
    if not done.exists():
        venv.create(folder, with_pip=True, clear=True)
        made = subprocess.run([python, "-m", "pip", "install", "-q", *QUIX], stderr=subprocess.PIPE, text=True, check=False)
        if made.returncode:
            raise RuntimeError(f"Quix Streams could not be installed: {made.stderr.strip().splitlines()[-1]}")
        done.touch()
        print("Quix Streams is installed", file=sys.stderr)
    return python
