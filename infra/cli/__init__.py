"""The command line: ``driftloop [--dir FOLDER] COMMAND``."""
