"""What the lockstep waits for besides consumer groups."""

from __future__ import annotations

import json

from features.base import web_client
from features.base.settings import Settings
from streams.publish.lockstep import Probe

_ANSWER_S = 5.0


def control_probe(settings: Settings) -> Probe:
    """Make a probe that names the work that control has in hand.

    That is a request, a training run, or a version that the server has not loaded yet. A control that does not answer, or does
    not say whether it is idle, may have any of these in hand: that is waited for, too, and named with its URL.
    """
    url = settings.control_url

    def probe() -> str | None:
        if not settings.ports.control:
            return None
        try:
            status = json.loads(web_client.read_url(url, _ANSWER_S))
        except web_client.FAILURES as error:
            return f"control does not answer at {url}: {web_client.why(error)}"
        except ValueError:
            return f"control does not answer at {url}: what is there is not control"
        idle = status.get("idle") if isinstance(status, dict) else None
        if not isinstance(idle, bool):
            return f"control at {url} does not say whether it is idle"
        if idle:
            return None
        return "control: " + ("; ".join(map(str, status.get("waiting_for") or [])) or "busy")

    return probe
