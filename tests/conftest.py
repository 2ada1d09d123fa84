"""What all tests share: nothing of the user's own platform leaks in."""

from __future__ import annotations

import os

# A folder or a setting in the caller's environment would win over what a test chooses.
for name in [name for name in os.environ if name.startswith("DRIFTLOOP_") and name != "DRIFTLOOP_CACHE"]:
    del os.environ[name]
os.environ["DO_NOT_TRACK"] = "1"
