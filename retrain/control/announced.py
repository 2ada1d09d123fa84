"""What ``model-events`` already says. Pure: the log itself is the memory of what was published."""

from __future__ import annotations

from features.base.events import ModelEvent

Identity = tuple[str, str, str | None, str | None, str | None, int | None]


class Announced:
    """Fed with every model event of one model, in order; answers what need not be said again.

    Attributes:
        champion: the version announced as champion last.
        shadow: the version announced as shadow last, while it is neither champion nor replaced.
        promoted: every version that was champion at some time, in order.
        line: the champions in order, without those that were rolled back.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.champion: str | None = None
        self.shadow: str | None = None
        self.promoted: list[str] = []
        self.line: list[str] = []
        self._rollbacks: dict[str, ModelEvent] = {}
        self._answered: set[str] = set()
        self._published: set[Identity] = set()

    def take(self, event: ModelEvent) -> None:
        """Take one more event of the log; other models' are passed over."""
        if event.model != self.model:
            return
        if event.state == "rollback_requested":
            self._ask(event)
            return
        self._answer(event)
        self._published.add(_identity(event))
        if event.state == "shadow":
            self.shadow = event.version
        elif event.state in ("promoted", "rolled_back") and event.version is not None:
            self.champion = event.version
            self.promoted.append(event.version)
            if event.state == "rolled_back" and event.version in self.line:
                del self.line[self.line.index(event.version) :]
            self.line.append(event.version)
            self.shadow = None

    @property
    def rollbacks(self) -> list[ModelEvent]:
        """Return the roll-backs that were asked for and neither carried out nor declined, oldest first."""
        return list(self._rollbacks.values())

    def before(self, champion: str) -> str | None:
        """Return the version that was champion before ``champion`` and was not rolled back; None where the log knows none."""
        if champion not in self.line:
            return self.line[-1] if self.line else None
        place = self.line.index(champion)
        return self.line[place - 1] if place else None

    def published(self, event: ModelEvent) -> bool:
        """Tell whether this step was published before, say by a control that was killed before it wrote that down.

        Roles may come again (a version rolled back to, promoted anew): whether those are due is decided by level,
        against ``champion`` and ``shadow``.
        """
        return event.state not in ("shadow", "promoted", "rolled_back") and _identity(event) in self._published

    def _ask(self, event: ModelEvent) -> None:
        key = event.idempotency_key
        if key is not None and event.version is not None and key not in self._answered:
            self._rollbacks.setdefault(key, event)

    def _answer(self, event: ModelEvent) -> None:
        if event.state in ("rolled_back", "declined") and event.idempotency_key in self._rollbacks:
            del self._rollbacks[event.idempotency_key]
            self._answered.add(event.idempotency_key)


def _identity(event: ModelEvent) -> Identity:
    """Return what tells events apart: a run's steps happen once a run; a request's answer once a request (its event time tells
    askings apart)."""
    request_only = event.run_id is None
    return (
        event.model,
        event.state,
        event.idempotency_key,
        event.run_id,
        event.version,
        event.event_time_ms if request_only else None,
    )
