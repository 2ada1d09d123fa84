"""A schema registry with Confluent's API, asked over HTTP."""

from __future__ import annotations

import base64
import json
import ssl
from typing import Any, Literal, Protocol
from urllib.error import HTTPError
from urllib.parse import quote
from uuid import UUID

import msgspec

from features.base.secret_values import resolve
from features.base.settings import Settings, SettingsError
from features.base.web_client import FAILURES, open_url, why
from streams.wire.errors import RegistryAway, UnknownSchema

_JSON = "application/vnd.schemaregistry.v1+json"
#: A schema that is longer is none of an event.
_MOST_BYTES = 10_000_000
_MOST_REFERENCES = 200
_GUIDS = "/schemas/guids/"
#: What says nothing of the schema: credentials that do not count (any more), a time-out, too many questions, a server in trouble.
_LATER = frozenset({401, 407, 408, 425, 429})

Type = Literal["AVRO", "PROTOBUF", "JSON"]


class Registered(msgspec.Struct, frozen=True):
    """A schema as it is registered. ``references``: the schemas that it names, by the name by which it does, each behind those
    that it needs itself."""

    type: Type
    schema: str
    references: list[tuple[str, str]] = []


class RegistryRefused(ValueError):
    """The registry answered no; ``status`` is HTTP's, ``code`` its own."""

    def __init__(self, message: str, status: int, code: int = 0) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Source(Protocol):
    """Where schemas come from."""

    #: For messages.
    url: str

    def fetch(self, schema: int | UUID) -> Registered:
        """Return the schema of an id or GUID. Raises UnknownSchema, and RegistryAway where that cannot be said."""
        ...


class Registry:
    """The registry of ``settings.schema_registry``. Raises SettingsError where a secret or an authority cannot be read.

    A registry of this host is never asked through a proxy; redirects are not followed, for they would carry the password along.
    """

    def __init__(self, settings: Settings) -> None:
        own = settings.schema_registry
        self.url = own.url.rstrip("/")
        self._timeout_s = own.timeout_s
        self._headers = {"Accept": f"{_JSON}, application/json", "User-Agent": "driftloop", **_credentials(settings)}
        self._trust = _context(settings) if own.ca else None

    def fetch(self, schema: int | UUID) -> Registered:
        path = f"{_GUIDS}{schema}" if isinstance(schema, UUID) else f"/schemas/ids/{schema}"
        try:
            answer = self.ask(path)
            return _registered(answer, self._references(answer))
        except RegistryRefused as error:
            raise UnknownSchema(f"the schema registry does not hand out schema {schema}: {error}") from error

    def ask(self, path: str, body: object | None = None) -> Any:
        """Return the JSON that the registry answers to GET, or to POST where there is a ``body``.

        Raises RegistryRefused where it says no, RegistryAway where it does not answer or cannot say.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = self._headers | ({} if data is None else {"Content-Type": _JSON})
        try:
            with open_url(self.url + path, self._timeout_s, headers, data, self._trust, follow=False) as answer:
                text = answer.read(_MOST_BYTES + 1)
        except HTTPError as error:
            with error:
                raise _refusal(self.url, path, error) from error
        except FAILURES as error:
            raise RegistryAway(f"the schema registry at {self.url} does not answer ({why(error)})") from error
        if len(text) > _MOST_BYTES:
            raise RegistryRefused(f"its answer is longer than {_MOST_BYTES} bytes", 200)
        try:
            return json.loads(text)
        except ValueError as error:
            raise RegistryAway(f"at {self.url} something answers that is no schema registry (no JSON); see its url") from error

    def _references(self, answer: Any) -> list[tuple[str, str]]:
        """Fetch what a schema names, and what that names, each behind what it needs."""
        out: dict[str, str] = {}
        names: set[str] = set()

        def visit(of: Any) -> None:
            for reference in of.get("references") or []:
                name = str(reference["name"])
                if name in names:
                    continue
                names.add(name)
                if len(names) > _MOST_REFERENCES:
                    raise RegistryRefused(f"it names more than {_MOST_REFERENCES} others", 200)
                schema = self.ask(f"/subjects/{quote(str(reference['subject']), safe='')}/versions/{int(reference['version'])}")
                visit(schema)
                out[name] = str(schema["schema"])

        visit(answer)
        return list(out.items())


def _registered(answer: Any, references: list[tuple[str, str]]) -> Registered:
    kind: Any = answer.get("schemaType") or "AVRO"
    if kind not in ("AVRO", "PROTOBUF", "JSON"):
        raise RegistryRefused(f"it is of the type {str(kind)[:50]!r}; AVRO, PROTOBUF and JSON can be read", 200)
    return Registered(kind, str(answer["schema"]), references)


def _refusal(url: str, path: str, error: HTTPError) -> Exception:
    text = error.read(10_000)
    try:
        answer = json.loads(text)
        message, code = str(answer["message"])[:500], int(answer.get("error_code", 0))
    except (ValueError, TypeError, KeyError):
        message, code = f"HTTP {error.code} {error.reason}", 0
    if error.code == 404 and not code and not path.startswith(_GUIDS):
        # A registry's own 404 has a code (40401 to 40403); one without GUIDs has no such path.
        return RegistryAway(
            f"what answers at {url} is no schema registry (404 without a code); see the path in schema_registry.url"
        )
    if 300 <= error.code < 400:
        return RegistryAway(f"the schema registry at {url} sends elsewhere ({error.code}); write where into schema_registry.url")
    if error.code in _LATER or error.code >= 500:
        hint = "; see schema_registry.user, password and token" if error.code == 401 else ""
        return RegistryAway(f"the schema registry at {url} answers {error.code} ({message}){hint}")
    return RegistryRefused(message, error.code, code)


def _credentials(settings: Settings) -> dict[str, str]:
    own = settings.schema_registry
    who = "the client of the schema registry"
    if own.token:
        return {"Authorization": f"Bearer {resolve(settings, 'schema_registry.token', own.token, who)}"}
    if own.user:
        pair = f"{own.user}:{resolve(settings, 'schema_registry.password', own.password, who)}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def _context(settings: Settings) -> ssl.SSLContext:
    path = settings.dir / settings.schema_registry.ca
    try:
        return ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"schema_registry.ca: {path} cannot be read as PEM ({error.strerror or error})") from error
