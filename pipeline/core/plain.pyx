# cython: language_level=3, boundscheck=False, wraparound=False
"""Hits that are plain, from JSON straight to columns: nothing is an object that repeats. Compiled, and optional.

What is plain is decided here, what a hit is is not: limits and patterns are read from :class:`schemas.hit.Hit`, and
any row that is in the least unusual is *odd*: left to ``pipeline.core.decode``, which every result here must equal.
Odd are rows with an unknown field or a field twice, times in words, numbers with exponents, and whatever is wrong.

A value is judged once, when it enters its column's table; after that the same bytes are the same code. A row is taken
in two steps: ``scan_row`` finds where its values lie, ``Batch.take`` puts them into the columns.
"""

import re
from math import inf

import numpy as np
from msgspec import DecodeError, Raw, inspect
from msgspec.json import Decoder

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset

from pipeline.core.coded import Coded
from pipeline.core.event_time import UNKNOWN_MS
from pipeline.core.packed import Packed
from schemas.hit import ABSENT, MAX_HIT_BYTES, Campaign, Hit

from pipeline.core.scan cimport (
    ASCII_TEXT, ESCAPED_TEXT, LONGEST_NUMBER, NESTED, NULL_VALUE, NUMBER, TEXT,
    Cursor, Slice, skip_byte, skip_space, skip_text, skip_value, unescape,
)

cdef extern from "Python.h":
    double PyOS_string_to_double(const char* text, char** end, PyObject* overflow) except? -1.0

cdef enum:
    MOST_FIELDS = 32
    MOST_PROBES = 128  # of a table at most half full; who needs more is odd, so no keys make it slow
    LONGEST_TIME = 15  # digits: any such number is far from overflow, and 31,000 years from now

include "pieces.pxi"
include "rows.pxi"
include "texts.pxi"
include "crc.pxi"
include "parted.pxi"


cdef class Batch:
    """The columns of a batch's records, filled row by row."""

    cdef Raws raws
    cdef list texts, singles, amounts, unread  # tables by column; lists by column
    cdef readonly object codes_array, times_array
    cdef int64_t[:, ::1] codes, times
    cdef Texts single  # judges those that are not coded
    cdef uint8_t* scratch  # for a text without its escapes
    cdef list nested  # places of hits that have items or props

    def __cinit__(self, raws):
        self.raws = Raws(raws)
        rows = self.raws.count
        self.texts = [Texts(_rules[name]) if name in _rules else Campaigns() for name in _columns[CODED]]
        self.codes_array = np.zeros((len(_columns[CODED]), rows), np.int64)
        self.times_array = np.full((len(_columns[TIME]), rows), UNKNOWN_MS, np.int64)
        self.codes, self.times = self.codes_array, self.times_array
        self.singles = [[None] * rows for _ in _columns[SINGLE]]
        self.amounts = [[None] * rows for _ in _columns[AMOUNT]]
        self.unread = [[ABSENT] * rows for _ in _columns[UNREAD]]
        self.nested = []
        self.single = Texts(_rules["hit_id"])
        self.scratch = <uint8_t*>PyMem_Malloc(MAX_HIT_BYTES)
        if self.scratch is NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.scratch)

    def odd(self):
        """Take what is plain; the places of the others, in order."""
        cdef Row row
        cdef Py_ssize_t at
        cdef list found = []
        memset(&row, 0, sizeof(Row))
        for at in range(self.raws.count):
            if not scan_row(&self.raws.pieces[at], &row) or not self.take(at, &row):
                found.append(at)
        if found:  # a part of them may have been taken
            self.codes_array[:, found] = 0
            self.times_array[:, found] = UNKNOWN_MS
            for at in found:
                for column in (*self.singles, *self.amounts):
                    column[at] = None
                for column in self.unread:
                    column[at] = ABSENT
        return found

    cdef bint take(self, Py_ssize_t at, const Row* row) except -1:
        """Put a row's values into the columns. Is it a hit, for certain?"""
        cdef int n, field
        cdef bint has_id = False, is_nested = False
        cdef const Slice* value
        if row.seen & REQUIRED != REQUIRED or self.raws.pieces[at].size > MAX_HIT_BYTES:
            return False
        for n in range(row.count):
            field = row.order[n]
            value = &row.values[field]
            if value.kind == NULL_VALUE:
                if REQUIRED >> field & 1:
                    return False
            elif not self.put(at, &FIELDS[field], value):
                return False
            elif IDS >> field & 1 and value.size:
                has_id = True
            elif FIELDS[field].role == UNREAD:
                is_nested = True
        if has_id and is_nested:
            self.nested.append(at)
        return has_id

    cdef bint put(self, Py_ssize_t at, const Field* field, const Slice* value) except -1:
        """One value that is there."""
        cdef int64_t code
        cdef double amount
        cdef Slice plain
        if value.kind == ESCAPED_TEXT:
            if value.size > MAX_HIT_BYTES:
                return False
            plain.at, plain.kind, plain.size = self.scratch, ESCAPED_TEXT, unescape(value, self.scratch)
            value = &plain
            if value.size < 0:
                return False
        if value.kind in (ASCII_TEXT, TEXT, ESCAPED_TEXT):
            if field.role == CODED:
                code = (<Texts>self.texts[field.column]).code_of(value)
                self.codes[field.column, at] = code
                return code > 0
            if field.role == SINGLE:
                text = self.single.value_of(value)
                self.singles[field.column][at] = text
                return text is not None
        elif value.kind == NUMBER:
            if field.role == AMOUNT:
                amount = number_of(value)
                self.amounts[field.column][at] = amount
                return field.least <= amount <= field.most and (amount != 0 or value.at[0] != c"-")
            if field.role == TIME:
                self.times[field.column, at] = time_of(value)
                return self.times[field.column, at] >= 0
        elif value.kind == NESTED:
            if field.role == CAMPAIGN:
                code = (<Texts>self.texts[field.column]).code_of(value)
                self.codes[field.column, at] = code
                return code > 0
            if field.role == UNREAD:
                self.unread[field.column][at] = Raw(value.at[:value.size])
                return True
        return False  # of another type


cdef int64_t time_of(const Slice* number) noexcept nogil:
    """A whole number of at most LONGEST_TIME digits, -1 for another."""
    cdef Py_ssize_t place
    cdef int64_t found = 0
    if number.size > LONGEST_TIME:
        return -1
    for place in range(number.size):
        if not c"0" <= number.at[place] <= c"9":
            return -1
        found = 10 * found + (number.at[place] - c"0")
    return found


cdef double number_of(const Slice* number) except? -1.0:
    cdef char digits[LONGEST_NUMBER + 1]
    memcpy(digits, number.at, number.size)  # skip_number knows none that are longer
    digits[number.size] = 0
    return PyOS_string_to_double(digits, NULL, NULL)


def columns_of(raws):
    """(a column for each field of a hit, places of the rows that are odd, of those that have items or props).

    Columns are as in :class:`pipeline.core.hit_fields.Fields`, but at the length of ``raws``: an odd row's cells are
    absent, and the tables may have values that only odd rows had. Of items and props only the syntax was looked at.
    """
    batch = Batch(raws)
    odd = batch.odd()
    columns = {}
    for name, codes, texts in zip(_columns[CODED], batch.codes_array, batch.texts):
        columns[name] = Coded(codes, (<Texts>texts).values)
    columns |= zip(_columns[TIME], batch.times_array)
    for role, lists in ((SINGLE, batch.singles), (AMOUNT, batch.amounts), (UNREAD, batch.unread)):
        columns |= zip(_columns[role], lists)
    return columns, odd, batch.nested


def keys(raws):
    """Each record's key as :func:`pipeline.core.decode.keys_of` has it; None where that must be asked."""
    cdef Raws found = Raws(raws)
    cdef Row row
    memset(&row, 0, sizeof(Row))
    return [
        key_of(&row) if scan_row(&found.pieces[at], &row) else None for at in range(found.count)
    ]


cdef key_of(const Row* row):
    """Site, 0x1F, and the visitor with "v" before it, or the user with "u"; None if one of them is no simple text."""
    cdef Slice site, owner
    cdef uint8_t letter
    if not find_key(row, &site, &owner, &letter):
        return None
    key = PyBytes_FromStringAndSize(NULL, site.size + 2 + owner.size)
    cdef char* into = PyBytes_AS_STRING(key)
    memcpy(into, site.at, site.size)
    into[site.size], into[site.size + 1] = 0x1F, <char>letter
    memcpy(into + site.size + 2, owner.at, owner.size)
    return key


cdef bint find_key(const Row* row, Slice* site, Slice* owner, uint8_t* letter) noexcept:
    """The parts of a key; False if one of them is no simple text."""
    cdef int field
    for field in (SITE, VISITOR, USER):
        if row.seen >> field & 1 and row.values[field].kind != ASCII_TEXT:
            if field == SITE or row.values[field].kind != NULL_VALUE:
                return False
    site[0], owner[0], letter[0] = simple_text(row, SITE), simple_text(row, VISITOR), c"v"
    if owner.size == 0:
        owner[0], letter[0] = simple_text(row, USER), c"u"
    return True


cdef Slice simple_text(const Row* row, int field) noexcept:
    """Empty where it is absent or null."""
    cdef Slice found = row.values[field]
    if not row.seen >> field & 1 or found.kind == NULL_VALUE:
        found.at, found.size = <const uint8_t*>b"", 0
    return found
