"""One module a command; its imports stay light, heavy ones are made inside the function."""
