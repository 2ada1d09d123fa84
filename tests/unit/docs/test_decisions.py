"""docs/decisions.md: a heading for each decision, dated, the newest last in its group; what refers to one names it as it is."""

from __future__ import annotations

import re

from tests.unit.docs.pages import ROOT, headings

PAGE = ROOT / "docs" / "decisions.md"
PACKAGES = ("features", "streams", "serving", "retrain", "infra", "dashboards", "benchmarks", "docs")


def test_each_decision_is_a_heading_with_its_date() -> None:
    sections = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    undated = [section.splitlines()[0] for section in sections if not re.match(r"[^\n]+\n\n20\d\d-\d\d-\d\d\. \S", section)]
    assert sections
    assert undated == []
    assert not re.search(r"^- 20", PAGE.read_text(), re.MULTILINE), "a decision is a heading with a paragraph"


def test_headings_are_unique_and_short() -> None:
    names = headings(PAGE)
    assert len(names) == len(set(names))
    assert [name for name in names if len(name) > 90 or name.endswith(".")] == []


def test_the_newest_is_last_in_its_group() -> None:
    for group in re.split(r"^# ", PAGE.read_text(), flags=re.MULTILINE):
        dates = re.findall(r"^(20\d\d-\d\d-\d\d)\. ", group, re.MULTILINE)
        assert dates == sorted(dates), group.splitlines()[0]


def test_what_refers_to_a_decision_names_its_heading() -> None:
    named = {" ".join(name.split()) for text in _texts() for name in re.findall(r'docs/decisions\.md,\s+"([^"]+)"', text)}
    assert named
    assert {f"## {name}" for name in named} <= set(headings(PAGE))


def test_nothing_refers_to_a_document_that_is_not_here() -> None:
    assert [text for text in _texts() if re.search(r"design,\s+decision|decision\s+\d+\s+of\s+the\s+design", text)] == []


def _texts() -> list[str]:
    files = [file for package in PACKAGES for ending in ("py", "md") for file in (ROOT / package).rglob(f"*.{ending}")]
    return [file.read_text() for file in files]
