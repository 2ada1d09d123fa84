"""Users, rights, secrets and certificates of a secure platform."""
