"""Files may move and modules be renamed: models, vectors and snapshots stay valid. A change of what the code does counts."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from features.base import rooms
from features.base.domain import Published
from features.base.fingerprint import modules
from features.catalogue import generate, vector
from features.catalogue.vector import FEATURES
from features.domains.card_fraud import DOMAIN
from features.history import version
from features.transform.loops.card_fraud import FINGERPRINT
from streams.scoring import partition_version

ROOT = Path(vector.__file__).parents[2]
#: Since the domain's version 2, which counts kinds of payments apart. Each stored vector and model carries one of these.
SCHEMAS = {
    220: "fraud_v2-51da88ce92",
    1: "fraud_v2-703bfcca51",
    100: "fraud_v2-9ecc8ef1f2",
    500: "fraud_v2-ac3522ae7f",
    1_000_000_000: "fraud_v2-eb7a766829",
}


def files_of(places: tuple[Path, ...]) -> tuple[Path, ...]:
    """The modules of rooms, and single files as they are."""
    return tuple(module for place in places for module in modules(place))


#: Each hash: of which files, and how.
HASHES: dict[str, tuple[tuple[Path, ...], Callable[[tuple[Path, ...]], str]]] = {
    "schema": (rooms.FORMULAS, lambda files: vector.schema_hash(formulas=files)),
    "generated": (files_of(generate.SOURCES), lambda files: generate.fingerprint(sources=files)),
    "cards": (files_of(version.SOURCES), version.state_version),
    "partition": (files_of(rooms.PARTITION), partition_version.version),
}
#: What hashed files import beside each other, and why it does not count.
NOT_HASHED = {
    "generated": {
        "features.base.active": "the domain's numbers are hashed as they are",
        "features.base.durations": "a minute is a minute",
        "features.base.events": "loops see no events",
    },
    "cards": {
        "features.base.active": "the domain's names on the wire; columns are made of them",
        "features.base.durations": "a minute is a minute",
        "features.base.event": "how the wire looks; columns are made of it",
    },
    "partition": {
        "features.base.active": "the domain's words in a message",
        "features.base.events": "the fields of a payment are hashed by name",
        "features.base.sections": "the limits that count are kept with the offsets",
        "features.transform.update": "what is served of a history, not what is kept of it",
        "features.base.event": "how the wire looks",
        "features.base.kept_rates": "where the rates are; a row that counts stays as it is",
        "streams.scoring.explained": "how the reason of a refusal is worded",
        "streams.engine.core": "how a record is refused: all processors stand on it",
        "streams.kafka.records": "a record as it lies in its topic",
        "features.base.settings": "where the registry and its cache are",
        "features.base.storage": "where the registry and its cache are",
        "features.base.types": "the earliest time tells a time from another number",
        "streams.wire.errors": "what a dead letter is called",
        "streams.wire.known": "an id stands for one schema for ever; what was refused is remembered",
        "streams.wire.protoc": "Protobuf's own compiler",
        "streams.wire.registry": "an id stands for one schema for ever",
        **{
            f"features.{name}": "in the hash of cards"
            for name in ("history.state", "history.copy_on_write", "transform.columns", "base.compiled", "catalogue.windows")
        },
    },
}
#: These two hold paths and the hashing itself: what they do is in every hash.
HASHING = {"features.base.fingerprint", "features.base.rooms"}


def names() -> list[object]:
    return [pytest.param(name, path, id=f"{name}-{path.stem}") for name, (files, _) in HASHES.items() for path in files]


def moved(source: str) -> str:
    """The source after a move: other modules, more imports, other comments and docstrings."""
    source = re.sub(r"\bfrom (features|streams)((?:\.\w+)*) import", r"from \1.room\2_renamed import", source)
    source = re.sub(r"^( *)#.*$", r"\1# Moved.", source, flags=re.MULTILINE)
    source = re.sub(r'^( *)"""(?=\S)', r'\1"""Moved. ', source, flags=re.MULTILINE)
    return f"{source}\nimport json  # moved\n\nif TYPE_CHECKING:\n    from features.base import events\n"


def copied(files: tuple[Path, ...], folder: Path, edit: Callable[[str], str]) -> tuple[Path, ...]:
    """The files in one folder, under other names and in another order."""
    folder.mkdir()
    copies = tuple(folder / f"m{len(files) - i:02}_{path.stem[::-1]}.py" for i, path in enumerate(files))
    for path, copy in zip(files, copies, strict=True):
        copy.write_text(edit(path.read_text()))
    return copies


def with_another_operator(source: str) -> str:
    """The source with one operator or, where it has none, one constant changed."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp | ast.AugAssign) and not isinstance(node.op, ast.BitOr):
            node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
            return ast.unparse(tree)
        if isinstance(node, ast.Compare):
            node.ops[0] = ast.Gt() if isinstance(node.ops[0], ast.Lt) else ast.Lt()
            return ast.unparse(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            node.value = node.value + 1
            return ast.unparse(tree)
    return source + "\nCHANGED = True\n"


@pytest.mark.parametrize(("limit", "schema"), SCHEMAS.items())
def test_the_schema_is_what_it_was(limit: int, schema: str) -> None:
    assert vector.schema_hash(limit) == schema


@pytest.mark.parametrize("name", HASHES)
def test_a_move_changes_no_hash(tmp_path: Path, name: str) -> None:
    files, hashed = HASHES[name]
    copies = copied(files, tmp_path / "room", moved)
    assert all(copy.read_text().count("Moved.") >= 1 for copy in copies)
    # The schema alone takes its files in their order.
    assert hashed(copies if name == "schema" else (tmp_path / "room",)) == hashed(files)


@pytest.mark.parametrize(("name", "path"), names())
def test_a_change_of_any_file_changes_the_hash(tmp_path: Path, name: str, path: Path) -> None:
    files, hashed = HASHES[name]
    changed = tmp_path / "changed.py"
    changed.write_text(with_another_operator(path.read_text()))
    assert hashed(tuple(changed if file == path else file for file in files)) != hashed(files)


def test_a_move_leaves_the_generated_code_valid_and_another_formula_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert generate.fingerprint() == FINGERPRINT
    other = replace(FEATURES[0], formula=FEATURES[0].formula.replace("/", "*"))
    assert generate.fingerprint((other, *FEATURES[1:])) != FINGERPRINT
    template = generate._TEMPLATE
    monkeypatch.setattr(generate, "_TEMPLATE", moved(template))
    assert generate.fingerprint() == FINGERPRINT
    monkeypatch.setattr(generate, "_TEMPLATE", template.replace("i + AHEAD < n", "i + AHEAD <= n"))
    assert generate.fingerprint() != FINGERPRINT


@pytest.mark.parametrize("change", [{"formula": "minor"}, {"missing": -1.0}, {"name": "sum_of_payment"}])
def test_another_formula_missing_value_or_name_is_another_schema(change: dict[str, str]) -> None:
    features = (replace(FEATURES[0], **change), *FEATURES[1:])  # type: ignore[arg-type]
    assert vector.schema_hash(features=features) not in SCHEMAS.values()


def imported(path: Path) -> set[str]:
    """The modules of features and streams that a file imports, wherever in it."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    names = {node.module for node in nodes if node.module and re.match(r"(features|streams)\b", node.module)}
    packages = {module for module in names if (ROOT / module.replace(".", "/")).is_dir()}
    assert not packages, f"{path} imports a module by its name: renaming that would change the hash; import what it defines"
    return names


@pytest.mark.parametrize("name", NOT_HASHED)
def test_what_hashed_files_import_is_hashed_too(name: str) -> None:
    files = [module for place in HASHES[name][0] for module in modules(place)]
    hashed = {".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files}
    imports = set().union(*map(imported, files))
    assert imports - hashed - HASHING == set(NOT_HASHED[name])


@pytest.mark.parametrize("name", HASHES)
def test_no_name_is_defined_in_two_ways_in_files_that_are_hashed_together(name: str) -> None:
    """Imports do not count, so importing the name from the other file would not show."""
    defined: dict[str, set[str]] = {}
    for place in HASHES[name][0]:
        for path in modules(place):
            for node in ast.parse(path.read_text()).body:
                for bound in names_of(node):
                    defined.setdefault(bound, set()).add(ast.unparse(node))
    twice = {bound for bound, ways in defined.items() if len(ways) > 1}
    # COLUMNS are what a history is written out in, and the number of a tile's.
    assert twice <= ({"COLUMNS"} if name == "generated" else set())


def names_of(node: ast.stmt) -> set[str]:
    """The names that a top-level statement binds."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}


def test_a_schema_that_was_published_under_another_text_keeps_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    then = Published(meaning=vector.meaning_hash(), text="as it was written then", limit="AMOUNT_LIMIT")
    monkeypatch.setattr(vector, "DOMAIN", replace(DOMAIN, published=(then,)))
    old = {vector.schema_hash(limit) for limit in SCHEMAS}
    assert len(old) == len(SCHEMAS)
    assert not old & set(SCHEMAS.values())
    other = (replace(FEATURES[0], formula="measure"), *FEATURES[1:])
    monkeypatch.undo()
    wanted = vector.schema_hash(features=other)
    monkeypatch.setattr(vector, "DOMAIN", replace(DOMAIN, published=(then,)))
    assert vector.schema_hash(features=other) == wanted, "of another meaning that text says nothing"
