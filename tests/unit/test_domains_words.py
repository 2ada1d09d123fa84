"""The engine knows roles: what is card fraud stands in its domain, its simulator, replay's column map and the demo's story."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: The rooms that serve any domain.
ENGINE = ("features", "streams", "serving", "retrain", "infra", "dashboards")
#: Where card fraud is at home, and what is written out of its domain by a command.
AT_HOME = (
    "features/domains/card_fraud/",
    "features/transform/loops/card_fraud.py",
    "streams/simulate/card_fraud/",
    "streams/replay/layouts/",
    "streams/replay/mapping.py",
    "streams/replay/money.py",
    "streams/replay/rows.py",
    "infra/cli/commands/replay.py",
    "streams/schemas/",
    "infra/demo/story.py",
)
#: Also where a word stands inside a name: ``CARDS_A_STEP``, ``minFrauds``.
WORDS = re.compile(
    r"(?<![a-z])(?:cards?|cardholders?|terminals?|payments?|frauds?|fraudsters?|fraudulent|genuine|merchants?|chargebacks?|amounts?"
    r"|customers?|currency|currencies|issuers?|acquirers?|pin|cents?|cardid|isfraud|fraudrate|amountminor|transaction_ids?)(?![a-z])"
)
#: The same letters with another sense, by file: X.509 has issuers, a console is a terminal. And names that are refused today.
OTHERWISE = {
    "features/base/renamed.py": {"amount", "cards", "frauds"},
    # Built for the default domain, in its words.
    "dashboards/json/loop.json": {"payments"},
    "features/base/domain_name.py": {"card", "fraud"},
    "infra/demo/tell.py": {"terminal"},
    "infra/security/certificates.py": {"issuer"},
}


def split(text: str) -> str:
    """Names in camel case as words, all in lower case."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text).lower()


def sources() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", *ENGINE], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and not name.startswith(AT_HOME)]


def words(path: Path) -> Iterator[tuple[int, str]]:
    """The words of card fraud in a file, each with its line."""
    allowed = OTHERWISE.get(str(path.relative_to(ROOT)), set())
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        yield from ((number, word) for word in WORDS.findall(split(line)) if word not in allowed)


def test_the_engine_has_no_word_of_card_fraud() -> None:
    problems = [f"{path.relative_to(ROOT)}:{number}: {word}" for path in sources() for number, word in words(path)]
    assert not problems, "\n".join(["write the role, or move it to the domain:", *problems])


@pytest.mark.parametrize("line", ["CARDS = 5", "class CardState:", "min_frauds: int", "# of a terminal", "terminalDays"])
def test_a_word_is_found_inside_a_name(line: str) -> None:
    assert WORDS.search(split(line))


@pytest.mark.parametrize("line", ["discard(x)", "pinned = 1", "determinal", "percent", "concurrency", "scorecard"])
def test_a_word_that_holds_the_letters_is_another(line: str) -> None:
    assert not WORDS.search(split(line))


def test_what_is_allowed_is_there() -> None:
    assert all((ROOT / name).exists() for name in (*AT_HOME, *OTHERWISE))
