"""What every part shares: event types, settings, the one feature transform and the Feast repository."""
