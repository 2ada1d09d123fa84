"""What the lockstep waits for besides consumer groups."""

from __future__ import annotations

import re
import urllib.request

from features.settings import Settings
from streams.publish.lockstep import Probe

_ACTIVE = re.compile(r"^driftloop_active_runs(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)


def training_probe(settings: Settings) -> Probe:
    """Waits while the control process reports a training run in progress.

    A control process that does not answer is nothing to wait for here: its consumer group shows that it is missing.
    """
    port = settings.ports.metrics.get("control", 0)
    url = f"http://127.0.0.1:{port}/metrics"

    def probe() -> str | None:
        if not port:
            return None
        try:
            with urllib.request.urlopen(url, timeout=2.0) as answer:
                text = answer.read().decode()
        except OSError:
            return None
        match = _ACTIVE.search(text)
        return "a training run is in progress" if match and float(match[1]) > 0 else None

    return probe
