from __future__ import annotations

import pytest

from streams.archive import Archive
from streams.feast_writer import FeastWriter
from streams.label_joiner import LabelJoiner
from streams.publish.groups import GROUPS
from streams.scorer import Scorer
from streams.terminal_risk import TerminalRisk


@pytest.mark.parametrize("core", [Archive, FeastWriter, LabelJoiner, Scorer, TerminalRisk])
def test_the_lockstep_watches_what_a_processor_reads(
    core: type[Archive] | type[FeastWriter] | type[LabelJoiner] | type[Scorer] | type[TerminalRisk],
) -> None:
    assert set(GROUPS[core.name]) == set(core.inputs)
