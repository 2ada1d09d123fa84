from __future__ import annotations

import pytest

from streams.labels.joiner import LabelJoiner
from streams.publish.groups import GROUPS
from streams.scoring.scorer import Scorer
from streams.writers.archive import Archive
from streams.writers.card_activity import FeastWriter
from streams.writers.counterpart_risk import TerminalRisk


@pytest.mark.parametrize("core", [Archive, FeastWriter, LabelJoiner, Scorer, TerminalRisk])
def test_the_lockstep_watches_what_a_processor_reads(
    core: type[Archive] | type[FeastWriter] | type[LabelJoiner] | type[Scorer] | type[TerminalRisk],
) -> None:
    assert set(GROUPS[core.name]) == set(core.inputs)
