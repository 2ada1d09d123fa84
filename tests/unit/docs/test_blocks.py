"""What the documentation shows of the code is what the code makes."""

from __future__ import annotations

import pytest

from tests.unit.docs.blocks import BLOCKS, Block, shown


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.page}-{block.name}")
def test_a_page_shows_what_the_code_makes(block: Block) -> None:
    advice = f"docs/{block.page}: the block {block.name} is out of date; run python -m tests.unit.docs.blocks"
    assert shown(block) == block.made(), advice
