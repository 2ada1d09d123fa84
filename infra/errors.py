"""What the platform tells a user: one clear sentence and the way out."""

from __future__ import annotations


class PlatformError(RuntimeError):
    """The platform cannot do what was asked; the message names the field or file and the way out.

    ``exit_code`` is what the command line ends with: 2, the request was wrong.
    """

    exit_code = 2


class ComponentFailed(PlatformError):
    """A component did not come up, or did not stop. The request was fine: exit code 1."""

    exit_code = 1

    def __init__(self, component: str, reason: str, log_tail: list[str], log: str) -> None:
        self.component = component
        self.reason = reason
        self.log_tail = log_tail
        lines = "".join(f"\n  | {line}" for line in log_tail)
        super().__init__(f"{component} {reason}; its log is {log}{', and ends with' if lines else ' (empty)'}{lines}")
