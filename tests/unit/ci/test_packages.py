""".ci/packages in a PATH of our own: what it installs, and what it says where it cannot.

apt-get, id and sudo are stand-ins here: a test must not install anything on the machine of whoever runs it.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / ".ci" / "packages"
#: Writes its arguments down; an installation brings the program.
APT = """echo "$*" >>"$HERE/calls"
[[ "$*" != *update* ]] || exit "${UPDATE:-0}"
[ -z "${BROKEN:-}" ] || exit 100
printf '#!/bin/sh\\n' >"$HERE/bin/prometheus" && chmod +x "$HERE/bin/prometheus"
"""
OPTIONS = "-qq -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120"
UPDATE, INSTALL = f"{OPTIONS} update", f"{OPTIONS} install -y --no-install-recommends prometheus"


class Machine:
    """A PATH with stand-ins only, and what apt-get was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        for name in ("bash", "env", "chmod"):
            (folder / "bin" / name).symlink_to(str(shutil.which(name)))
        self.add("ip", "")  # there, but for the test that takes it away
        self.add("curl", "")

    def add(self, name: str, script: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!{shutil.which('bash')}\n{script}")
        path.chmod(0o755)

    def run(self, **variables: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [str(SCRIPT)],
            env={"PATH": str(self.folder / "bin"), "HERE": str(self.folder), **variables},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_what_is_there_is_left_alone(machine: Machine) -> None:
    machine.add("prometheus", "")
    machine.add("apt-get", APT)
    assert machine.run() == (0, "", "")
    assert machine.calls == []


def test_root_installs_after_one_update(machine: Machine) -> None:
    machine.add("apt-get", APT)
    machine.add("id", "echo 0")
    assert machine.run() == (0, ".ci/packages: installed prometheus\n", "")
    assert machine.calls == [UPDATE, INSTALL]


def test_only_what_is_missing_is_installed(machine: Machine) -> None:
    machine.add("prometheus", "")
    (machine.folder / "bin" / "ip").unlink()
    machine.add("apt-get", APT.replace("bin/prometheus", "bin/ip"))
    machine.add("id", "echo 0")
    assert machine.run() == (0, ".ci/packages: installed iproute2\n", "")
    assert machine.calls == [UPDATE, INSTALL.replace("prometheus", "iproute2")]


def test_lists_that_cannot_be_updated_do_not_stop_the_installation(machine: Machine) -> None:
    machine.add("apt-get", APT)
    machine.add("id", "echo 0")
    code, _, errors = machine.run(UPDATE="100")
    assert (code, errors) == (0, ".ci/packages: apt-get update failed; trying with the lists that are there\n")
    assert machine.calls == [UPDATE, INSTALL]


def test_a_user_with_sudo_installs(machine: Machine) -> None:
    machine.add("apt-get", APT)
    machine.add("id", "echo 1000")
    machine.add("sudo", 'echo "sudo $*" >>"$HERE/calls"; shift; [ "$1" = true ] || exec "$@"')
    assert machine.run()[0] == 0
    assert machine.calls[0] == "sudo -n true"
    assert machine.calls[2::2] == [UPDATE, INSTALL]
    assert all(call.startswith("sudo -n env DEBIAN_FRONTEND=noninteractive apt-get") for call in machine.calls[1::2])


@pytest.mark.parametrize(
    ("stand_ins", "variables", "reason"),
    [
        ({}, {}, "this machine has no apt-get"),
        ({"apt-get": APT, "id": "echo 1000"}, {}, "installing needs root, or sudo without a password"),
        ({"apt-get": APT, "id": "echo 1000", "sudo": "exit 1"}, {}, "installing needs root, or sudo without a password"),
        ({"apt-get": APT, "id": "echo 0"}, {"BROKEN": "1"}, "apt-get install failed"),
        ({"apt-get": "", "id": "echo 0"}, {}, "apt-get installed the packages, but their programs are not on PATH"),
    ],
)
def test_it_says_why_it_cannot(machine: Machine, stand_ins: dict[str, str], variables: dict[str, str], reason: str) -> None:
    for name, script in stand_ins.items():
        machine.add(name, script)
    code, _, errors = machine.run(**variables)
    skipped = "The tests that need them will be skipped, which CI refuses (tests/skips.py)."
    assert (code, errors) == (1, f".ci/packages: {reason}; not installed: prometheus. {skipped}\n")
