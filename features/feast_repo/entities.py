"""The things that rows are about."""

from __future__ import annotations

from feast import Entity, ValueType

from features.base.active import DOMAIN, ROLES, WORDS

OWNER = "driftloop"

SUBJECT = Entity(
    name=WORDS.subject,
    join_keys=[ROLES.subject],
    value_type=ValueType.STRING,
    description=WORDS.subject_is,
    owner=OWNER,
    tags={"key_of": f"{DOMAIN.topic}, scores"},
)
COUNTERPART = Entity(
    name=WORDS.counterpart,
    join_keys=[ROLES.counterpart],
    value_type=ValueType.STRING,
    description=WORDS.counterpart_is,
    owner=OWNER,
    tags={"key_of": "outcomes"},
)
#: Events need not name the owner of a subject, who is then known by the subject. A view of owners keeps its name when that
#: changes.
PROFILE_OWNER = Entity(
    name=WORDS.owner,
    join_keys=[ROLES.subject],
    value_type=ValueType.STRING,
    description=WORDS.owner_is,
    owner=OWNER,
    tags={"key_of": f"{DOMAIN.topic}, scores"},
)
