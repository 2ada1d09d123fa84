"""What is wrong with a value that a schema describes. All but ``RegistryAway`` are of the record, which becomes a dead letter."""

from __future__ import annotations


class WireError(ValueError):
    """A record cannot be read by its schema; the message says why, and repeats nothing of its value."""


class UnknownSchema(WireError):
    """The registry has no schema of this id, or does not hand it out."""


class UnmappableSchema(WireError):
    """The schema does not give what the event needs; the message names the field."""


class UndecodableValue(WireError):
    """The value is not what its schema says."""


class RegistryAway(RuntimeError):
    """The registry does not answer. Of no record can be said that it is wrong."""
