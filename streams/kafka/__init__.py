"""Kafka's clients: how they are configured, and what guards them against what a broker does."""
