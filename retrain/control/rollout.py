"""From what the model server reports to the next serving document and the events that are due. Level-triggered.

::

    serving.json --> model server --> its status --> [promote the shadow?] --> serving.json (generation + 1)
                                          |
                                          +--> [champion or shadow not announced yet?] --> model-events
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import Literal

import aiohttp
import msgspec

from features.base.settings import Settings
from features.base.web_client import proxy_for
from retrain.control.announced import Announced
from serving.rollout.transitions import on_shadow_progress, rollback
from serving.store.document import ServingDocument
from serving.store.model_store import ModelStore, StaleGeneration

log = logging.getLogger(__name__)

#: The model server answers in milliseconds; a server that takes longer is looked at again at the next turn.
STATUS_TIMEOUT_S = 2.0


class ServerStatus(msgspec.Struct, frozen=True):
    """What the model server says that it serves. ``shadow_predictions`` counts transactions since the shadow was loaded."""

    generation: int = 0
    champion: str | None = None
    shadow: str | None = None
    shadow_predictions: int = 0
    last_event_time_ms: int | None = None
    error: str | None = None


class Announcement(msgspec.Struct, frozen=True):
    """An event that is due: ``version`` now has this role at the server."""

    state: Literal["shadow", "promoted", "rolled_back"]
    version: str
    previous: str | None


def next_document(document: ServingDocument, status: ServerStatus, announced: Announced) -> ServingDocument:
    """Return the same document, or its successor with the shadow promoted.

    The count is believed only from a server that serves this very document: it may still be counting for another shadow.
    The shadow must have been announced, so that ``model-events`` tells the steps in their order.
    """
    if status.generation != document.generation or status.shadow != document.shadow or announced.shadow != document.shadow:
        return document
    return on_shadow_progress(document, status.shadow_predictions)


def announcements(status: ServerStatus, announced: Announced) -> list[Announcement]:
    """Return what the server serves and ``model-events`` does not say yet. A champion that was champion before is a roll-back."""
    due: list[Announcement] = []
    if status.champion is not None and status.champion != announced.champion:
        before = status.champion in announced.promoted
        due.append(Announcement("rolled_back" if before else "promoted", status.champion, announced.champion))
    if status.shadow is not None and status.shadow != announced.shadow:
        due.append(Announcement("shadow", status.shadow, status.champion))
    return due


def unsettled(document: ServingDocument, status: ServerStatus | None, announced: Announced) -> list[str]:
    """Return why the rollout is not at rest, in words; a shadow that still collects transactions is at rest."""
    if document.generation == 0:
        return []
    if status is None:
        return ["the model server does not answer"]
    if status.generation != document.generation:
        failed = f": {status.error}" if status.error else ""
        return [f"the model server is at generation {status.generation}, the document at {document.generation}{failed}"]
    if next_document(document, status, announced) is not document:
        return [f"{document.shadow} is about to be promoted"]
    return [f"{a.version} is not announced as {a.state} yet" for a in announcements(status, announced)]


class Rollout:
    """Reads the document and the server's status, and writes the next document where one follows."""

    def __init__(self, settings: Settings, announced: Announced) -> None:
        self._announced = announced
        self._url = f"{settings.rest_url}/v2/models/{settings.model}/status"
        self._token_file = settings.token_file
        self._authority = settings.model_authority
        self.store = ModelStore.of(settings)
        self._http: aiohttp.ClientSession | None = None
        self.document = ServingDocument(model=settings.model)
        self.status: ServerStatus | None = None

    async def look(self) -> None:
        """Take one turn: refresh ``document`` and ``status``, promote where it is time. Raises StoreError."""
        await self.read()
        if self.document.generation == 0:
            self.status = None
            return
        self.status = await self._ask()
        if self.status is None:
            return
        following = next_document(self.document, self.status, self._announced)
        if following is not self.document and await self._write(following):
            log.info("promoted %s: generation %d", following.champion, following.generation)

    async def read(self) -> None:
        """Refresh ``document``. Raises StoreError."""
        self.document = await asyncio.to_thread(self.store.serving)

    async def roll_back(self, version: str, key: str) -> None:
        """Write the document of the roll-back ``key``, once. Raises StoreError."""
        following = rollback(self.document, version, key)
        if following is not self.document and await self._write(following):
            log.info("rolled back to %s: generation %d", version, following.generation)

    async def _write(self, following: ServingDocument) -> bool:
        """Write ``following`` and tell whether that was done; not where somebody else wrote in between: the next turn looks
        again."""
        try:
            self.document = await asyncio.to_thread(self.store.write_serving, following, self.document.generation)
        except StaleGeneration as error:
            log.info("%s; the next turn looks again", error)
            return False
        return True

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def _ask(self) -> ServerStatus | None:
        if self._http is None:
            trust = None if self._authority is None else ssl.create_default_context(cafile=self._authority)
            connector = aiohttp.TCPConnector(ssl=trust if trust is not None else True)
            self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=STATUS_TIMEOUT_S), connector=connector)
        try:
            headers = {"Authorization": f"Bearer {self._token_file.read_text().strip()}"}
            async with self._http.get(self._url, headers=headers, proxy=proxy_for(self._url)) as response:
                body = await response.read()
                if response.status != 200:
                    log.warning("the model server's status answers %d: %s", response.status, body[:200])
                    return None
                return msgspec.json.decode(body, type=ServerStatus)
        except (TimeoutError, OSError, aiohttp.ClientError, msgspec.MsgspecError) as error:
            log.debug("no status from the model server: %s", error)
            return None
