"""The consumer groups of the loop and what they read, in the order in which records reach them."""

from __future__ import annotations

from streams import topics

GROUPS: dict[str, tuple[str, ...]] = {
    "scorer": (topics.TRANSACTIONS,),
    "feast-writer": (topics.SCORES,),
    "archive": (topics.SCORES, topics.OUTCOMES),
    "label-joiner": (topics.SCORES, topics.LABELS),
    "terminal-risk": (topics.OUTCOMES,),
    "drift-monitor": (topics.SCORES, topics.OUTCOMES, topics.MODEL_EVENTS),
    "control": (topics.RETRAIN_REQUESTS,),
}
