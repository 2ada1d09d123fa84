"""The first line of a function's docstring begins with what the function does: a verb, not an article or a shape."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.docs.pages import ROOT

PACKAGES = ("features", "streams", "serving", "retrain", "infra", "dashboards")
_NO_VERB = re.compile(
    r"(?:The|An?|What|How|Whether|Where|Which|Who|Why|By|Of|All|Every|Each|No|Nothing|None|Its?|They|In|For|As|From|Until|See|Those"
    r"|This|That|If|When|Once|Raises|Returns|[Ii]nt\d+|[Ff]loat\d+|[Bb]ool)\b|``|[a-z\d(]"
)
#: KFP shows it as the pipeline's own text.
ALLOWED = {("retrain/pipeline/definition.py", "training_pipeline")}


def without_verb(path: Path) -> Iterator[tuple[str, str]]:
    """Functions whose docstring begins otherwise, with its first line."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node) or ""
            if _NO_VERB.match(text):
                yield node.name, text.splitlines()[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_functions_docstring_begins_with_a_verb(package: str) -> None:
    problems = [
        f"{path.relative_to(ROOT)}: {name}: {line}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for name, line in without_verb(path)
        if (path.relative_to(ROOT).as_posix(), name) not in ALLOWED
    ]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    "line", ["The end of a log.", "float32 [n]", "Whether it is there.", "``name`` as it is.", "Raises OSError."]
)
def test_what_is_no_verb_is_seen(tmp_path: Path, line: str) -> None:
    (tmp_path / "one.py").write_text(f'def f():\n    """{line}"""\n')
    assert list(without_verb(tmp_path / "one.py")) == [("f", line)]
