"""How persons name the roles of clicks."""

from __future__ import annotations

from features.base.domain import Words

WORDS = Words(
    event="click",
    events="clicks",
    subject="user",
    subjects="users",
    subject_is="A visitor of the shop, by the shop's own number",
    counterpart="item",
    counterparts="items",
    counterpart_is="Something that the shop sells",
    owner="shopper",
    owner_is="Who looks and buys; known by the user, since events name nobody",
    positive="purchase",
    positives="purchases",
    negative="unsold",
    measure="dwell time",
    unit="seconds",
    alert="recommendation",
    alerts="recommendations",
)
