"""Measurements that the documentation quotes: each one a command, each one writing JSON."""
