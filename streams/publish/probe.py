"""What the lockstep waits for besides consumer groups."""

from __future__ import annotations

import json
import urllib.request

from features.base.settings import Settings
from streams.publish.lockstep import Probe


def control_probe(settings: Settings) -> Probe:
    """Make a probe that names the work that control has in hand.

    That is a request, a training run, or a version that the server has not loaded yet.
    A control process that does not answer is nothing to wait for here: its consumer group shows that it is missing.
    """
    url = settings.control_url

    def probe() -> str | None:
        if not settings.ports.control:
            return None
        try:
            with urllib.request.urlopen(url, timeout=5.0) as answer:
                status = json.load(answer)
        except (OSError, ValueError):
            return None
        if status.get("idle", True):
            return None
        return "control: " + ("; ".join(status.get("waiting_for") or []) or "busy")

    return probe
