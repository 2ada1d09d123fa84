"""Real pytest runs, with and without xdist, whose skips are listed and, in CI, refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.skips import ADVICE

ROOT = Path(__file__).parents[3]

TESTS = """
import pytest

def test_runs(): pass

@pytest.mark.skipif(True, reason="there is no such program")
def test_by_mark(): pass

@pytest.mark.parametrize("n", [1, 2])
def test_inside(n):
    if n == 2:
        pytest.skip("not for two")

@pytest.mark.xfail(reason="known", strict=True)
def test_known_fault(): raise ValueError
"""
MODULE = 'import pytest\npytest.importorskip("no_such_library", reason="a library is missing")\n'
SKIPPED = [
    "test_some.py::test_by_mark: there is no such program",
    "test_some.py::test_inside[2]: not for two",
]


def run(folder: Path, *options: str, ci: str | None) -> tuple[int, list[str]]:
    """Run a folder's tests with the hooks of tests/conftest.py and the project's settings; return exit code and lines."""
    environment = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST_")}
    if ci is not None:
        environment["CI"] = ci
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-q", "--color=no"]
    command += ["-c", str(ROOT / "pyproject.toml"), f"--rootdir={folder}", *options, str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, [*done.stdout.splitlines(), *done.stderr.splitlines()]


def after(lines: list[str], heading: str) -> list[str]:
    """Return the lines from the one after the heading on; none where it is missing."""
    at = next((n for n, line in enumerate(lines) if line.strip("= ") == heading), len(lines))
    return lines[at + 1 :]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "test_some.py").write_text(TESTS)
    return tmp_path


@pytest.mark.parametrize(("workers", "ci"), [((), "false"), (("-n", "2"), None)], ids=["alone", "xdist"])
def test_skips_are_listed_with_their_reason(folder: Path, workers: tuple[str, ...], ci: str | None) -> None:
    code, lines = run(folder, *workers, ci=ci)
    assert after(lines, "skipped: 2")[:2] == SKIPPED
    assert (code, after(lines, "CI=true: 2 skipped that must run")) == (0, [])
    assert lines[-1].startswith("2 passed, 2 skipped, 1 xfailed")


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_skip_in_ci_fails_the_run(folder: Path, workers: tuple[str, ...]) -> None:
    (folder / "test_whole_module.py").write_text(MODULE)
    code, lines = run(folder, *workers, ci="true")
    assert code == 1
    assert after(lines, "skipped: 3")[:3] == [*SKIPPED, "test_whole_module.py: a library is missing"]
    wrong = after(lines, "CI=true: 3 skipped that must run")
    assert wrong[:3] == ["test_some.py::test_by_mark", "test_some.py::test_inside[2]", "test_whole_module.py"]
    assert wrong[3] == f"The run fails. {ADVICE}"


def test_what_is_allowed_does_not_fail_ci(folder: Path) -> None:
    (folder / "conftest.py").write_text(
        "from tests.skips import ALLOWED\n"
        'ALLOWED["test_some.py::test_by_mark"] = "no such program for Debian"\n'
        'ALLOWED["test_some.py::test_inside[2]"] = "one is enough"\n'
    )
    code, lines = run(folder, ci="true")
    assert code == 0
    assert after(lines, "skipped: 2")[:2] == [
        f"{SKIPPED[0]} (allowed in CI: no such program for Debian)",
        f"{SKIPPED[1]} (allowed in CI: one is enough)",
    ]


def test_a_run_without_skips_writes_no_section(tmp_path: Path) -> None:
    (tmp_path / "test_good.py").write_text("def test_runs(): pass\n")
    code, lines = run(tmp_path, ci="true")
    assert (code, [line for line in lines if "skipped" in line]) == (0, [])


def test_ci_draws_random_examples_too(tmp_path: Path) -> None:
    (tmp_path / "test_drawn.py").write_text("import hypothesis\ndef test_drawn(): assert not hypothesis.settings().derandomize\n")
    code, lines = run(tmp_path, ci="true")
    assert code == 0, lines


def test_a_failure_keeps_its_exit_code(folder: Path) -> None:
    (folder / "test_whole_module.py").write_text("raise SystemError\n")
    code, lines = run(folder, ci="true")
    assert code == pytest.ExitCode.INTERRUPTED, lines
