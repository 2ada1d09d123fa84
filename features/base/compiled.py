"""How the transform's inner functions are compiled: without reference counting, with C's division.

numba counts references to an array at each view of it and at each namedtuple it is taken from, by atomic operations: half of the
transform's time. These functions allocate nothing and keep nothing, and their callers hold all arrays while they run, so there is
nothing to count. The rule that comes with it: a function that is compiled in this way may only call functions that are, and must
not allocate (no ``np.zeros``, no copies).
"""

from __future__ import annotations

from numba import njit

#: Called from compiled functions only.
compiled = njit(_nrt=False, error_model="numpy")
#: Called from Python.
compiled_cached = njit(_nrt=False, error_model="numpy", cache=True)
#: Part of its caller. A history is a tuple of arrays, which takes some 60 words on the stack where it is handed over: a fifth of
#: the transform's time. Not for what is seldom called.
compiled_inside = njit(_nrt=False, error_model="numpy", forceinline=True)
#: The same, for numbers that are neither NaN nor -0: their maximum may then be taken in any order, so several at once.
compiled_without_nan = njit(_nrt=False, error_model="numpy", fastmath={"nnan", "nsz"})
