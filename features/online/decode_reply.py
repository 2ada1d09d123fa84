"""What Redis answers to a read of profiles, decoded in one compiled pass.

For one transaction, a numpy call for each array would cost more than Redis does; for hundreds, so would a Python call for each
value. The encoding is that of ``features.online.feast_encoding``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.transform.counterpart_tiles import COLUMNS
from features.transform.profiles import PROFILE_WIDTH, USUAL_WIDTH, Profiles

#: Values of a subject (time, profile, usual) and of a counterpart (time, tiles).
OF_A_SUBJECT, OF_A_COUNTERPART = 3, 2
#: Read only, as every answer is: for numba that is a type of its own, and compiling takes seconds.
_NOTHING = np.zeros(0, dtype=np.uint8)
_NOTHING.flags.writeable = False
# Length of the tags of feast.types.Value's lists: field 14 takes one byte, field 16 two.
_INTEGERS, _FLOATS = 1, 2


def decode(values: Sequence[bytes | None], subjects: int) -> Profiles:
    """Give c rows of owners and t of counterparts, in no pairs.

    ``values``: OF_A_SUBJECT for each of the c ``subjects``, then OF_A_COUNTERPART for each of t counterparts; None or empty for
    null. A profile that has another length is unknown, a ``usual`` of another length is zeros.
    """
    joined = b"".join(filter(None, values))
    lengths = np.array([len(value) if value else 0 for value in values], dtype=np.int64)
    counterparts = (len(values) - OF_A_SUBJECT * subjects) // OF_A_COUNTERPART
    owner = np.empty((subjects, PROFILE_WIDTH), dtype=np.float32)
    usual = np.empty((subjects, USUAL_WIDTH), dtype=np.int64)
    owner_ts, counterpart_ts = np.empty(subjects, dtype=np.int64), np.empty(counterparts, dtype=np.int64)
    begin, end = np.empty(counterparts, dtype=np.int64), np.empty(counterparts, dtype=np.int64)
    # A number takes a byte at least; subjects' bytes are room to spare.
    tiles = np.empty(len(joined) // COLUMNS * COLUMNS, dtype=np.int64)
    data = np.frombuffer(joined, dtype=np.uint8) if joined else _NOTHING
    first = _decode_subjects(data, lengths, owner, owner.view(np.uint8), usual, owner_ts)
    rows = _decode_counterparts(data, first, lengths[OF_A_SUBJECT * subjects :], tiles, begin, end, counterpart_ts)
    return Profiles(owner, usual, owner_ts, tiles[: rows * COLUMNS].reshape(rows, COLUMNS), begin, end, counterpart_ts)


@njit
def _varint(data: NDArray[np.uint8], position: int) -> tuple[int, np.int64]:
    """Return (position after it, value) of the varint at ``position``."""
    value, shift = np.int64(0), 0
    while True:
        byte = data[position]
        position += 1
        value |= np.int64(byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return position, value


@njit
def _items(data: NDArray[np.uint8], begin: int, end: int, tag_length: int) -> int:
    """Find where the packed items of a list Value in ``[begin, end)`` begin, behind two tags and lengths; ``end`` if none."""
    if begin == end:
        return end
    start: int = _varint(data, begin + tag_length)[0]
    if start >= end:
        return end
    items: int = _varint(data, start + 1)[0]
    return items


@njit
def _milliseconds(data: NDArray[np.uint8], begin: int, end: int) -> np.int64:
    """Return the milliseconds of the protobuf Timestamp in ``[begin, end)``."""
    total_ms = np.int64(0)
    position = begin
    while position < end:
        field = data[position]
        position, value = _varint(data, position + 1)
        total_ms += value * 1000 if field == 0x08 else value // 1_000_000
    return total_ms


@njit(cache=True)
def _decode_subjects(
    data: NDArray[np.uint8],
    lengths: NDArray[np.int64],
    owner: NDArray[np.float32],
    owner_bytes: NDArray[np.uint8],
    usual: NDArray[np.int64],
    times: NDArray[np.int64],
) -> int:
    """Decode the subjects' values; return where they end."""
    begin = 0
    for i in range(times.shape[0]):
        time_end = begin + lengths[3 * i]
        profile_end = time_end + lengths[3 * i + 1]
        usual_end = profile_end + lengths[3 * i + 2]
        usual[i] = 0
        position = _items(data, time_end, profile_end, _FLOATS)
        if profile_end - position == owner_bytes.shape[1]:
            owner_bytes[i] = data[position:profile_end]
            times[i] = _milliseconds(data, begin, time_end)
            position = _items(data, profile_end, usual_end, _INTEGERS)
            count = 0
            while position < usual_end and count < usual.shape[1]:
                position, usual[i, count] = _varint(data, position)
                count += 1
            if count < usual.shape[1] or position < usual_end:
                usual[i] = 0
        else:
            owner[i] = np.nan
            times[i] = 0
        begin = usual_end
    return begin


@njit(cache=True)
def _decode_counterparts(
    data: NDArray[np.uint8],
    begin: int,
    lengths: NDArray[np.int64],
    tiles: NDArray[np.int64],
    begins: NDArray[np.int64],
    stops: NDArray[np.int64],
    times: NDArray[np.int64],
) -> int:
    """Decode the counterparts' values; return how many tiles there are in all. The first one's values begin at ``begin``."""
    count = 0
    for i in range(times.shape[0]):
        time_end = begin + lengths[2 * i]
        end = time_end + lengths[2 * i + 1]
        before = count
        position = _items(data, time_end, end, _INTEGERS)
        while position < end:
            position, tiles[count] = _varint(data, position)
            count += 1
        count -= (count - before) % COLUMNS  # a list that is no table; what is left of it is not read
        begins[i], stops[i] = before // COLUMNS, count // COLUMNS
        times[i] = _milliseconds(data, begin, time_end) if count > before else 0
        begin = end
    return count // COLUMNS
