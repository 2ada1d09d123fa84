"""What dlq replay and discard say when they are interrupted; doing it is tried on a broker (tests/integration/test_dlq.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.cli import main
from infra.cli.commands import dlq_handle
from infra.dead_letters import handling
from infra.dead_letters.handling import Counts


@pytest.mark.parametrize(
    ("arguments", "what"),
    [(["dlq", "replay", "--yes"], "replayed"), (["dlq", "discard", "--reason", "a load test", "--yes"], "discarded")],
)
def test_an_interrupt_says_how_many_were_done(
    arguments: list[str], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DRIFTLOOP_DIR", str(tmp_path))
    monkeypatch.setattr(dlq_handle, "_look", lambda *_: (Counts(letters=9), {}))

    def interrupted(*given: object) -> Counts:
        counts = given[-1]
        assert isinstance(counts, Counts)
        counts.letters = 3
        raise KeyboardInterrupt

    monkeypatch.setattr(handling, "handle", interrupted)
    assert main.run(arguments) == 130
    output = capsys.readouterr().err
    assert f"interrupted. 3 letters were {what}; nothing is done twice, so go on with driftloop dlq" in output
