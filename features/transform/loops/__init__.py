"""The compiled loops of the domains here, written by ``make features``."""
