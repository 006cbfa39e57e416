# cython: language_level=3
"""Numbers for the distinct values of a batch's column, compiled and optional: in one pass, where sorting takes several.

``pipeline.core.coded`` has the way without a compiler, which gives the same.
"""

import numpy as np

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int64_t, uint32_t, uint64_t


def numbered(const int64_t[:] values):
    """(places at which the distinct values come first, in order; for each value which of them it is)."""
    cdef Py_ssize_t count = len(values), at, found = 0
    if 4 * <uint64_t>count >= <uint64_t>1 << 32:
        raise ValueError("too many values")
    cdef int bits = 4
    while <Py_ssize_t>1 << bits < 2 * count:
        bits += 1
    cdef uint32_t mask = (<uint32_t>1 << bits) - 1, place
    # By hash, 1 + the number of a value, 0 where there is none: at most half full.
    cdef uint32_t* numbers = <uint32_t*>PyMem_Calloc(mask + 1, sizeof(uint32_t))
    if numbers is NULL:
        raise MemoryError
    firsts_array, codes_array = np.empty(count, np.int64), np.empty(count, np.int64)
    cdef int64_t[::1] firsts = firsts_array, codes = codes_array
    for at in range(count):
        # Fibonacci hashing (Knuth, The Art of Computer Programming, 6.4): the upper bits are those that are mixed.
        place = <uint32_t>((<uint64_t>values[at] * <uint64_t>0x9E3779B97F4A7C15) >> (64 - bits))
        while numbers[place] and values[firsts[numbers[place] - 1]] != values[at]:
            place = (place + 1) & mask
        if not numbers[place]:
            firsts[found] = at
            found += 1
            numbers[place] = <uint32_t>found
        codes[at] = numbers[place] - 1
    PyMem_Free(numbers)
    return firsts_array[:found], codes_array
