# cython: language_level=3
"""The hashes of hit_ids, compiled and optional: BLAKE2b (RFC 7693) of 8 bytes, without a key, of a batch at once.

They are those of hashlib's ``blake2b(digest_size=8)``, without an object for each: ``pipeline.core.duplicates`` has
the way without a compiler.
"""

import sys

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from *:
    """
    #include <stdint.h>
    static const uint64_t START[8] = {
        0x6A09E667F3BCC908u, 0xBB67AE8584CAA73Bu, 0x3C6EF372FE94F82Bu, 0xA54FF53A5F1D36F1u,
        0x510E527FADE682D1u, 0x9B05688C2B3E6C1Fu, 0x1F83D9ABFB41BD6Bu, 0x5BE0CD19137E2179u,
    };
    static const uint8_t ORDER[10][16] = {  /* whose words a round takes; after ten from the first on */
        {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
        {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
        {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
        {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
        {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
        {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
        {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
        {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
        {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
        {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    };
    """
    const uint64_t START[8]
    const uint8_t ORDER[10][16]

cdef enum:
    ROUNDS = 12
    BLOCK = 128  # bytes
    DIGEST = 8  # bytes

cdef struct State:
    uint64_t hash[8]
    uint64_t before  # bytes that were compressed
    uint8_t block[BLOCK]
    Py_ssize_t filled  # bytes of the block

if sys.byteorder != "little":
    raise ImportError("words are read as they lie in memory")


def digests(list keys, const int64_t[::1] codes, list hit_ids):
    """The digests of ``keys[code]``, 0x1F and the hit_id, row by row and one behind the other."""
    cdef Py_ssize_t row, rows = len(hit_ids)
    cdef State state
    if len(codes) != rows:
        raise ValueError("there must be a code for each hit_id")
    joined = PyBytes_FromStringAndSize(NULL, rows * DIGEST)
    cdef char* into = PyBytes_AS_STRING(joined)
    for row in range(rows):
        start(&state)
        if not 0 <= codes[row] < len(keys):
            raise IndexError("a code without a key")
        update_text(&state, keys[codes[row]])
        update(&state, <const uint8_t*>b"\x1f", 1)
        update_text(&state, hit_ids[row])
        compress(&state, is_last=True)
        memcpy(into + row * DIGEST, state.hash, DIGEST)
    return joined


cdef void start(State* state) noexcept nogil:
    memcpy(state.hash, START, sizeof(state.hash))
    state.hash[0] ^= 0x01010000 ^ DIGEST  # no key, neither tree nor salt
    state.before = state.filled = 0


cdef int update_text(State* state, str text) except -1:
    if text is None:
        raise TypeError("a text is missing")
    cdef Py_ssize_t size = 0
    cdef const char* at = PyUnicode_AsUTF8AndSize(text, &size)
    update(state, <const uint8_t*>at, size)
    return 0


cdef void update(State* state, const uint8_t* at, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t part
    while size:
        if state.filled == BLOCK:  # only when more follows: the last block is compressed as such
            compress(state, is_last=False)
        part = min(size, BLOCK - state.filled)
        memcpy(state.block + state.filled, at, part)
        state.filled += part
        at += part
        size -= part


cdef void compress(State* state, bint is_last) noexcept nogil:
    cdef uint64_t m[16]
    cdef uint64_t v[16]
    cdef const uint8_t* s
    cdef int i
    memset(state.block + state.filled, 0, BLOCK - state.filled)
    memcpy(m, state.block, BLOCK)
    memcpy(v, state.hash, sizeof(state.hash))
    memcpy(v + 8, START, sizeof(state.hash))
    state.before += state.filled
    state.filled = 0
    v[12] ^= state.before  # its upper half stays 0: no message has 2**64 bytes
    if is_last:
        v[14] = ~v[14]
    for i in range(ROUNDS):
        s = ORDER[i % 10]
        mix(&v[0], &v[4], &v[8], &v[12], m[s[0]], m[s[1]])
        mix(&v[1], &v[5], &v[9], &v[13], m[s[2]], m[s[3]])
        mix(&v[2], &v[6], &v[10], &v[14], m[s[4]], m[s[5]])
        mix(&v[3], &v[7], &v[11], &v[15], m[s[6]], m[s[7]])
        mix(&v[0], &v[5], &v[10], &v[15], m[s[8]], m[s[9]])
        mix(&v[1], &v[6], &v[11], &v[12], m[s[10]], m[s[11]])
        mix(&v[2], &v[7], &v[8], &v[13], m[s[12]], m[s[13]])
        mix(&v[3], &v[4], &v[9], &v[14], m[s[14]], m[s[15]])
    for i in range(8):
        state.hash[i] ^= v[i] ^ v[i + 8]


cdef inline void mix(uint64_t* a, uint64_t* b, uint64_t* c, uint64_t* d, uint64_t x, uint64_t y) noexcept nogil:
    a[0] += b[0] + x
    d[0] = rotated(d[0] ^ a[0], 32)
    c[0] += d[0]
    b[0] = rotated(b[0] ^ c[0], 24)
    a[0] += b[0] + y
    d[0] = rotated(d[0] ^ a[0], 16)
    c[0] += d[0]
    b[0] = rotated(b[0] ^ c[0], 63)


cdef inline uint64_t rotated(uint64_t word, int bits) noexcept nogil:
    """To the right."""
    return word >> bits | word << (64 - bits)
