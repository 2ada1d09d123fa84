"""The rollout as a pure state machine."""
