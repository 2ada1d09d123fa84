"""Names of the views in Feast, in the domain's words."""

from __future__ import annotations

from features.base.active import WORDS

#: The latest vector of a subject.
ACTIVITY = f"{WORDS.subject}_activity"
#: What outcomes say of a counterpart.
RISK = f"{WORDS.counterpart}_risk"
#: A subject's habits, by batch.
PROFILE = f"{WORDS.owner}_profile"
