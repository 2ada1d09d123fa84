"""Settings that have another name now: whoever writes the old one is told the new one."""

from __future__ import annotations

#: By the old name. docs/upgrading.md lists them for persons.
RENAMED: dict[str, str] = {
    "features.amount_limit": "features.measure_limit",
    "snapshots.cards_a_step": "snapshots.subjects_a_step",
    "drift.min_frauds_first": "drift.min_positives_first",
    "skew.cards": "skew.subjects",
    "training.min_holdout_frauds": "training.min_holdout_positives",
    "training.holdout_cards": "training.holdout_subjects",
    "policy.min_frauds": "policy.min_positives",
}
