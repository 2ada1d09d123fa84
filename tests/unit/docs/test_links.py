"""Every relative link of the documentation leads to a file that is there, and to a heading that it has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.docs.pages import PAGES, ROOT, anchors, prose

README_LINES = 110
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(
    r"(?<![\w./-])(?:features|streams|serving|retrain|infra|dashboards|benchmarks|tests)/[\w./-]*\w\.(?:py|json|md)\b"
)
#: Names inside the model store, whose folder may be called as a package is.
NOT_OURS = {"serving/000000007.json"}


def broken(page: Path) -> list[str]:
    """Return the relative links of a page that lead nowhere."""
    bad = []
    for link in _LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, fragment = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (fragment and fragment not in anchors(target)):
            bad.append(link)
    return bad


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert broken(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_file_that_is_named_is_there(page: Path) -> None:
    named = set(_PATH.findall(page.read_text())) - NOT_OURS
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_a_link_that_leads_nowhere_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n[a](#here) [b](#there) [c](page.md#here) [d](none.md) [e](https://example.org)\n```\n[f](no.md)\n```\n"
    )
    assert broken(page) == ["#there", "none.md"]


def test_the_readme_is_short_and_names_every_page() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= README_LINES
    unnamed = [page.name for page in PAGES if page.parent.name == "docs" and f"(docs/{page.name})" not in text]
    assert unnamed == []
