"""Ask for memory before it is needed: a subject's history is a few dozen cold cache lines."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from features.base.compiled import compiled_inside
from features.history.row_layout import CAPACITY, COLUMNS_A_SUBJECT, LENGTH, LONG, ROW, START, History, window

#: How many events ahead of the one at work.
AHEAD = 4
#: Rows of the longest history that is asked for; what lies behind comes when it is read.
_MOST = 256
#: Rows of about two weeks.
_NEWEST = 32
#: Words of 8 bytes in a cache line.
_LINE = 8


@intrinsic
def _touch(typing: Any, array: Any, row: Any) -> Any:
    """Fetch the cache line of ``array[row]`` without waiting for it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        struct = context.make_array(kind)(context, builder, arguments[0])
        strides = cgutils.unpack_tuple(builder, struct.strides, kind.ndim)
        offset = builder.mul(arguments[1], strides[0])
        number = ir.IntType(32)
        address = builder.gep(builder.bitcast(struct.data, ir.IntType(8).as_pointer()), [offset])
        function = builder.module.declare_intrinsic(
            "llvm.prefetch", [address.type], ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        )
        # For reading, to all caches, data.
        builder.call(function, [address, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, row), generate


@compiled_inside
def fetch_subject(h: History, slot: int) -> None:
    """Fetch where a subject's rows are, and its sums."""
    for word in range(0, COLUMNS_A_SUBJECT, _LINE):
        _touch(h.subjects[slot], word)
    _touch(h.apart, slot)


@compiled_inside
def fetch_rows(h: History, slot: int) -> None:
    """Fetch what an event in order looks at: the newest rows, those that leave the windows, all measures and counterparts."""
    start, room, n = h.subjects[slot, START], h.subjects[slot, CAPACITY], h.subjects[slot, LENGTH]
    half = 2 * start
    for row in range(max(n - _NEWEST, 0), n + _LINE, 2 * _LINE):
        _touch(h.halves, half + row)
        _touch(h.halves, half + 3 * room + row)
    for row in range(0, min(n, _MOST) + 1, 2 * _LINE):
        _touch(h.halves, half + room + row)
        _touch(h.halves, half + 2 * room + row)
    for k in range(LONG):
        _touch(h.halves, half + h.subjects[slot, window(k) + ROW])
    _touch(h.halves, half + 4 * room + n)
    _touch(h.halves, half + 5 * room + n)
    byte = 8 * start + 24 * room
    for row in range(0, min(n, _MOST) + 1, 8 * _LINE):
        _touch(h.bytes, byte + row)
        _touch(h.bytes, byte + room + row)
