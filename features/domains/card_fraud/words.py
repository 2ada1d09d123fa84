"""How persons name the roles of card fraud."""

from __future__ import annotations

from features.base.domain import Words

WORDS = Words(
    event="payment",
    events="payments",
    subject="card",
    subjects="cards",
    subject_is="A payment card",
    counterpart="terminal",
    counterparts="terminals",
    counterpart_is="A point of sale",
    owner="customer",
    owner_is="Who pays with a card; known by the card, since events name nobody",
    positive="fraud",
    positives="frauds",
    negative="genuine",
    measure="amount",
    unit="currency units",
    alert="alert",
    alerts="alerts",
)
