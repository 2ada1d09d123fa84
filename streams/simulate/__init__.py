"""Seeded worlds of the domains: what happens in them, what is known of it when, and drifts and faults on demand."""
