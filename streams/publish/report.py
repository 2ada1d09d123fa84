"""How far a publisher came, and what was published in all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reached:
    """How far a publisher came. ``events`` and ``labels``: what the broker has acknowledged; ``up_to_ms``: before this event time
    nothing is missing, None where no boundary was reached; ``exact``: nothing besides was handed to the broker."""

    events: int = 0
    labels: int = 0
    up_to_ms: int | None = None
    exact: bool = True


@dataclass
class PublishReport:
    """What was published. ``labels_pending`` are labels whose time has not come yet; ``waited_s`` went into the lockstep."""

    transactions: int = 0
    labels: int = 0
    labels_pending: int = 0
    positives: int = 0
    first_event_ms: int | None = None
    last_event_ms: int | None = None
    seconds: float = 0.0
    waited_s: float = 0.0

    def __add__(self, later: PublishReport) -> PublishReport:
        """Return both calls together, ``later`` having come after this one."""
        return PublishReport(
            self.transactions + later.transactions,
            self.labels + later.labels,
            later.labels_pending,
            self.positives + later.positives,
            self.first_event_ms if self.first_event_ms is not None else later.first_event_ms,
            later.last_event_ms if later.last_event_ms is not None else self.last_event_ms,
            self.seconds + later.seconds,
            self.waited_s + later.waited_s,
        )
