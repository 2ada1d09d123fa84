"""What is wrong with a setting, as a sentence: which one, its value, what is allowed, and where it was set."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from features.base.broker_names import PREFIX_PATTERN
from features.base.feast_settings import REDIS
from features.base.network import HOST
from features.base.renamed import RENAMED

PREFIX, BETWEEN = "DRIFTLOOP_", "__"

#: Tables, and fields of ``feast``, whose values may be secrets: what is wrong there is told without them.
_SECRET_TABLES, _SECRET_FIELDS = ("kafka", "storage", "snapshots"), ("redis", "registry_path", "spark", "root")

#: What a text must look like, in words.
_PATTERNS = {
    HOST: "an IPv4 address or a host name (for IPv6 use a name)",
    "^[A-Za-z0-9_-]{1,64}$": "1 to 64 letters, digits, _ and -",
    r"^$|^[A-Za-z0-9_.-]{1,64}$": "at most 64 letters, digits, _, . and -",
    REDIS: "host:port, then options as in ,password=${NAME}",
    PREFIX_PATTERN: "at most 64 letters, digits, ., _ and -",
}

_Context = Mapping[str, Any]

#: What is allowed, by pydantic's name for the mistake.
_ALLOWED: dict[str, Callable[[_Context], str]] = {
    "finite_number": lambda _: "a finite number",
    "int_type": lambda _: "a whole number",
    "int_parsing": lambda _: "a whole number",
    "int_parsing_size": lambda _: "a whole number that is not as long",
    "int_from_float": lambda _: "a whole number",
    "float_type": lambda _: "a number, with a point for decimals",
    "float_parsing": lambda _: "a number, with a point for decimals",
    "bool_type": lambda _: "true or false",
    "bool_parsing": lambda _: "true or false",
    "string_type": lambda _: "a text, in quotes",
    "string_too_short": lambda context: f"a text of at least {context['min_length']} characters",
    "string_too_long": lambda context: f"a text of at most {context['max_length']} characters",
    "string_pattern_mismatch": lambda context: _PATTERNS.get(context["pattern"], f"a text that matches {context['pattern']}"),
    "literal_error": lambda context: context["expected"].replace("'", ""),
    "enum": lambda context: context["expected"].replace("'", ""),
    "list_type": lambda _: "a list, in brackets",
    "dict_type": lambda _: "a table of names and values",
    "model_type": lambda _: "a table, [section] in the file",
    "model_attributes_type": lambda _: "a table, [section] in the file",
}


#: A number out of its range, by pydantic's names for the mistake.
_OUTSIDE = ("greater_than_equal", "greater_than", "less_than_equal", "less_than")
_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def sentences(error: ValidationError, model: type[BaseModel], path: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Say all that is wrong, by semicolons. ``model``: of the settings; ``path``: the file that was read."""
    return "; ".join(_sentence(problem, model, path, environ) for problem in error.errors(include_url=False))


def no_json(error: ValueError, path: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Say which variable is no JSON, as tables and lists in the environment must be. Its value may be a secret."""
    match = re.search(r'field "(\w+)"', str(error))
    name = match[1] if match else ""
    variables = [each for each in environ if each.upper().startswith((PREFIX + name).upper()) and not _is_json(environ[each])]
    where = f"the environment variable {' or '.join(sorted(variables))}" if variables else str(path)
    return f'{where}: {name or "a setting"} is no JSON; write a list as ["value"], a table as {{"name": "value"}}'


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def origin(place: list[str], path: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Name where the setting at ``place`` (its table, then its name) was set: a variable, which wins, or the file."""
    names = {name.upper(): name for name in environ}
    # A table may stand in the environment as a whole, as JSON.
    for end in range(len(place), 0, -1):
        variable = (PREFIX + BETWEEN.join(place[:end])).upper()
        if variable in names:
            return f"the environment variable {names[variable]}"
    return str(path)


def _sentence(problem: Any, model: type[BaseModel], path: Path, environ: Mapping[str, str]) -> str:
    # A number in the place is a list's: its elements have no names.
    place = [part for part in problem["loc"] if isinstance(part, str)]
    name, kind = ".".join(place) or "settings", problem["type"]
    where = origin(place, path, environ)
    if kind == "extra_forbidden":
        if name in RENAMED:
            return f"{where}: {name}: it is called {RENAMED[name]} now"
        return f"{where}: there is no setting {name}; features/base/settings.py and sections.py list all of them"
    if kind == "missing":
        return f"{where}: {name} is missing"
    value = " is not as it must be" if _untold(place, problem["input"]) else f" is {problem['input']!r:.60}"
    if kind in _OUTSIDE:
        return f"{where}: {name}{value}; write a number, {_range(model, place)}"
    if kind in _ALLOWED:
        return f"{where}: {name}{value}; write {_ALLOWED[kind](problem.get('ctx', {}))}"
    # What a validator of ours says is a sentence already.
    return f"{where}: {name}{value}; {str(problem['msg']).removeprefix('Value error, ')}"


def _untold(place: list[str], value: object) -> bool:
    """Tell whether a value may be a secret; so may be a table that is wrong as a whole."""
    secret = not place or place[0] in _SECRET_TABLES or (place[0] == "feast" and bool(set(place[1:]) & set(_SECRET_FIELDS)))
    return secret or isinstance(value, dict | list)


def _range(model: type[BaseModel], place: list[str]) -> str:
    """Name both ends of what the number at ``place`` may be."""
    field = model.model_fields[place[0]]
    for name in place[1:]:
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            break
        field = field.annotation.model_fields[name]
    limits = [limit for holder in _annotated(field) for limit in holder]
    ends = [f"{words} {getattr(limit, end):,g}" for end, words in _BOUNDS.items() for limit in limits if hasattr(limit, end)]
    return " and ".join(dict.fromkeys(ends))


def _annotated(field: FieldInfo) -> Iterator[Iterable[Any]]:
    yield field.metadata
    # Of a table of numbers, the limits stand at its values.
    for part in get_args(field.annotation):
        yield getattr(part, "__metadata__", ())
        for info in getattr(part, "__metadata__", ()):
            yield getattr(info, "metadata", ())
