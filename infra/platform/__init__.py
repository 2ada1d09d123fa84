"""The local platform: its components, their supervisor, and how it goes up and down."""
