"""List the skipped tests at the end of a run, and fail the run where CI skips what it must run."""

from __future__ import annotations

import os
from typing import NamedTuple

import pytest

#: Why CI may skip a test, by the test's node id.
ALLOWED: dict[str, str] = {}
ADVICE = "Let .ci/packages install what is missing, or name the test in ALLOWED in tests/skips.py with the reason."


class Skip(NamedTuple):
    """A test or a module that did not run, by its node id."""

    test: str
    reason: str


def skips(config: pytest.Config) -> list[Skip]:
    """Return every skip of the run so far, sorted. Under pytest-xdist only the controller has them."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("skipped", []) if reporter else []
    return sorted(Skip(report.nodeid, _reason(report.longrepr)) for report in reports)


def _reason(longrepr: object) -> str:
    text = str(longrepr[2] if isinstance(longrepr, tuple) else longrepr)
    return text.removeprefix("Skipped: ") or "no reason given"


def refused(config: pytest.Config) -> list[Skip]:
    """Return the skips that fail this run: none outside CI (environment variable ``CI=true``)."""
    if os.environ.get("CI", "").lower() != "true":
        return []
    return [skip for skip in skips(config) if skip.test not in ALLOWED]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Make a run that passed end with exit code 1 where CI skipped what it must run."""
    if session.exitstatus == pytest.ExitCode.OK and refused(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write a section with every skip and its reason, and what to do where CI must not skip."""
    config = terminalreporter.config
    if not (listed := skips(config)):
        return
    terminalreporter.section(f"skipped: {len(listed)}", yellow=True)
    for skip in listed:
        allowed = f" (allowed in CI: {ALLOWED[skip.test]})" if skip.test in ALLOWED else ""
        terminalreporter.line(f"{skip.test}: {skip.reason}{allowed}")
    if wrong := refused(config):
        terminalreporter.section(f"CI=true: {len(wrong)} skipped that must run", red=True)
        for skip in wrong:
            terminalreporter.line(skip.test)
        terminalreporter.line(f"The run fails. {ADVICE}", red=True)
