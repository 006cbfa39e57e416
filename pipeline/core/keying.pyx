# cython: language_level=3
"""Keys of many visitors and persons, compiled and optional: no call of Python for each.

``pipeline.core.keys`` has the way without a compiler, which gives the same.
"""

import numpy as np

from pipeline.core.ids import name_of, partition_of, person_of

from libc.stdint cimport int64_t, uint8_t, uint32_t

include "crc.pxi"

cdef extern from *:
    """
    #ifdef __OPTIMIZE__
    #define MASIR_IS_OPTIMIZED 1
    #else
    #define MASIR_IS_OPTIMIZED 0
    #endif
    """
    bint MASIR_IS_OPTIMIZED

IS_OPTIMIZED = bool(MASIR_IS_OPTIMIZED)
"""Whether the compiler was let optimise: flags of the environment replace those of Python, and the job takes a third more
without."""

cdef extern from "Python.h":
    Py_ssize_t PyUnicode_FindChar(str text, Py_UCS4 one, Py_ssize_t start, Py_ssize_t end, int direction) except -2
    Py_ssize_t PyUnicode_Tailmatch(str text, str part, Py_ssize_t start, Py_ssize_t end, int direction) except -1
    Py_ssize_t PyUnicode_CopyCharacters(
        str to, Py_ssize_t at, str text, Py_ssize_t start, Py_ssize_t count) except -1
    Py_UCS4 PyUnicode_ReadChar(str text, Py_ssize_t at) except? 0xFFFFFFFF
    Py_UCS4 PyUnicode_MAX_CHAR_VALUE(str text)
    str PyUnicode_New(Py_ssize_t size, Py_UCS4 greatest)
    str PyUnicode_Substring(str text, Py_ssize_t start, Py_ssize_t end)
    bint PyUnicode_IS_ASCII(str text)
    const uint8_t* PyUnicode_AsUTF8AndSize(str text, Py_ssize_t* size) except NULL


cdef inline Py_ssize_t separator_of(str key) except -2:
    return PyUnicode_FindChar(key, 0x1F, 0, len(key), 1)


def halves(list keys):
    """See :func:`pipeline.core.keys.halves_of_each`."""
    cdef list sites = [], rests = []
    cdef str key, site = None
    cdef Py_ssize_t at
    for key in keys:
        at = separator_of(key)
        if at < 0:
            at = len(key)
        if site is None or len(site) != at or not PyUnicode_Tailmatch(key, site, 0, at, -1):
            site = PyUnicode_Substring(key, 0, at)
        sites.append(site)
        rests.append(PyUnicode_Substring(key, at + 1, len(key)))
    return sites, rests


cdef inline str visitor_of(str key, Py_ssize_t at):
    """The key without its letter, where that is a visitor's."""
    if at < 0 or at + 1 >= len(key) or PyUnicode_ReadChar(key, at + 1) != c"v":
        return None
    cdef str found = PyUnicode_New(len(key) - 1, PyUnicode_MAX_CHAR_VALUE(key))
    PyUnicode_CopyCharacters(found, 0, key, 0, at + 1)
    PyUnicode_CopyCharacters(found, at + 1, key, at + 2, len(key) - at - 2)
    return found


def names(list keys):
    """See :func:`pipeline.core.keys.names_of_each`."""
    cdef list found = []
    cdef str key, name
    for key in keys:
        name = visitor_of(key, separator_of(key))
        found.append(name_of(key) if name is None else name)
    return found


def persons(list sessions):
    """See :func:`pipeline.core.keys.persons_of_each`."""
    cdef list found = [], is_user = []
    cdef str key, user, name
    for key, user in sessions:
        name = None if user else visitor_of(key, separator_of(key))
        if name is None:
            name, known = person_of(key, user)
        else:
            known = False
        found.append(name)
        is_user.append(known)
    return found, is_user


def partitions(list keys, uint32_t count):
    """See :func:`pipeline.core.keys.partitions_of_each`."""
    found = np.empty(len(keys), np.int64)
    cdef int64_t[::1] into = found
    cdef Py_ssize_t place, size
    cdef const uint8_t* text
    cdef str key
    for place, key in enumerate(keys):
        if PyUnicode_IS_ASCII(key):  # others would keep their UTF-8 for as long as they live
            text = PyUnicode_AsUTF8AndSize(key, &size)
            into[place] = (crc_of(<uint32_t>0xFFFFFFFF, text, size) ^ <uint32_t>0xFFFFFFFF) % count
        else:
            into[place] = partition_of(key, count)
    return found
