# cython: language_level=3
"""Numbers for the distinct values of a batch's column, compiled and optional: in one pass, where sorting takes several.

``pipeline.core.numbers`` has the way without a compiler, which gives the same.
"""

import numpy as np

from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from "Python.h":
    PyObject* PyList_GET_ITEM(list values, Py_ssize_t at)


def numbered(const int64_t[:] values):
    """(places at which the distinct values come first, in order; for each value which of them it is)."""
    cdef Py_ssize_t count = len(values), at, found = 0
    cdef int bits = bits_for(count)
    cdef uint32_t mask = (<uint32_t>1 << bits) - 1, place
    # By hash, 1 + the number of a value, 0 where there is none: at most half full.
    cdef uint32_t* numbers = <uint32_t*>PyMem_Calloc(mask + 1, sizeof(uint32_t))
    if numbers is NULL:
        raise MemoryError
    firsts_array, codes_array = np.empty(count, np.int64), np.empty(count, np.int64)
    cdef int64_t[::1] firsts = firsts_array, codes = codes_array
    for at in range(count):
        place = hash_of(<uint64_t>values[at], bits)
        while numbers[place] and values[firsts[numbers[place] - 1]] != values[at]:
            place = (place + 1) & mask
        if not numbers[place]:
            firsts[found] = at
            found += 1
            numbers[place] = <uint32_t>found
        codes[at] = numbers[place] - 1
    PyMem_Free(numbers)
    return firsts_array[:found], codes_array


def placed(list values, dict table):
    """Each value's place in the table, to which those that are new are added."""
    cdef Py_ssize_t count = len(values), at, found = 0
    cdef int bits = bits_for(count)
    cdef uint32_t mask = (<uint32_t>1 << bits) - 1, place
    cdef uint32_t* numbers = <uint32_t*>PyMem_Calloc(mask + 1, sizeof(uint32_t))
    cdef PyObject** objects = <PyObject**>PyMem_Malloc((count + 1) * sizeof(PyObject*))
    cdef int64_t* codes_of = <int64_t*>PyMem_Malloc((count + 1) * sizeof(int64_t))
    cdef PyObject* value
    codes_array = np.empty(count, np.int64)
    cdef int64_t[::1] codes = codes_array
    try:
        if numbers is NULL or objects is NULL or codes_of is NULL:
            raise MemoryError
        for at in range(count):
            # Most that are equal are the same object: only one of them is looked up.
            value = PyList_GET_ITEM(values, at)
            place = hash_of(<uint64_t>value >> 4, bits)
            while numbers[place] and objects[numbers[place] - 1] != value:
                place = (place + 1) & mask
            if not numbers[place]:
                codes_of[found] = table.setdefault(<object>value, len(table))
                objects[found] = value
                found += 1
                numbers[place] = <uint32_t>found
            codes[at] = codes_of[numbers[place] - 1]
    finally:
        PyMem_Free(numbers)
        PyMem_Free(objects)
        PyMem_Free(codes_of)
    return codes_array


cdef int bits_for(Py_ssize_t count) except -1:
    """Of the places of a table that is at most half full of so many."""
    cdef int bits = 4
    if count >= 1 << 30:
        raise ValueError("too many values")
    while <Py_ssize_t>1 << bits < 2 * count:
        bits += 1
    return bits


cdef inline uint32_t hash_of(uint64_t word, int bits) noexcept nogil:
    """Fibonacci hashing (Knuth, The Art of Computer Programming, 6.4): the upper bits are those that are mixed."""
    return <uint32_t>((word * <uint64_t>0x9E3779B97F4A7C15) >> (64 - bits))
