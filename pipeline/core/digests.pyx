# cython: language_level=3
"""Hashes of a batch's texts, compiled and optional: BLAKE2b (RFC 7693) without a key, eight texts at once.

They are those of hashlib's ``blake2b``, without an object for each: ``pipeline.core.duplicates`` and
``pipeline.core.ids`` have the way without a compiler.
"""

import sys
from hashlib import blake2b

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t, uint64_t
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

    /* A word of each of eight messages: of whatever width the machine's registers are, asked when it is loaded. */
    typedef uint64_t Words __attribute__((vector_size(64)));
    #if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
    #define FOR_EACH_MACHINE __attribute__((target_clones("avx512f", "avx2", "default")))
    #else
    #define FOR_EACH_MACHINE
    #endif
    #define ROTATED(w, bits) ((w) >> (bits) | (w) << (64 - (bits)))  /* to the right */
    #define MIX(a, b, c, d, x, y) \\
        a += b + (x); d = ROTATED(d ^ a, 32); c += d; b = ROTATED(b ^ c, 24); \\
        a += b + (y); d = ROTATED(d ^ a, 16); c += d; b = ROTATED(b ^ c, 63);

    /* Messages of one block each, padded with zeros: the first two words of their hashes. */
    FOR_EACH_MACHINE
    static void hash_eight(uint64_t blocks[8][16], uint64_t sizes[8], uint64_t digest, uint64_t hashes[8][2])
    {
        Words m[16], v[16];
        for (int at = 0; at < 16; at++)
            for (int of = 0; of < 8; of++)
                m[at][of] = blocks[of][at];
        for (int at = 0; at < 8; at++)
            v[at] = v[at + 8] = (Words){0} + START[at];
        v[0] ^= 0x01010000 ^ digest;  /* no key, neither tree nor salt */
        for (int of = 0; of < 8; of++)
            v[12][of] ^= sizes[of];
        v[14] = ~v[14];  /* the last block */
        const Words first = v[0], second = v[1];
        #pragma GCC unroll 12
        for (int round = 0; round < 12; round++) {
            const uint8_t *s = ORDER[round % 10];
            MIX(v[0], v[4], v[8], v[12], m[s[0]], m[s[1]])
            MIX(v[1], v[5], v[9], v[13], m[s[2]], m[s[3]])
            MIX(v[2], v[6], v[10], v[14], m[s[4]], m[s[5]])
            MIX(v[3], v[7], v[11], v[15], m[s[6]], m[s[7]])
            MIX(v[0], v[5], v[10], v[15], m[s[8]], m[s[9]])
            MIX(v[1], v[6], v[11], v[12], m[s[10]], m[s[11]])
            MIX(v[2], v[7], v[8], v[13], m[s[12]], m[s[13]])
            MIX(v[3], v[4], v[9], v[14], m[s[14]], m[s[15]])
        }
        for (int of = 0; of < 8; of++) {
            hashes[of][0] = first[of] ^ v[0][of] ^ v[8][of];
            hashes[of][1] = second[of] ^ v[1][of] ^ v[9][of];
        }
    }
    """
    void hash_eight(uint64_t (*blocks)[16], uint64_t* sizes, uint64_t digest, uint64_t (*hashes)[2]) nogil

cdef enum:
    LANES = 8
    BLOCK = 128  # bytes
    MOST_KEPT = 16  # bytes

cdef struct Waiting:
    uint64_t blocks[LANES][16]
    uint64_t sizes[LANES]
    uint64_t hashes[LANES][2]
    Py_ssize_t rows[LANES]
    int count

if sys.byteorder != "little":
    raise ImportError("words are read as they lie in memory")


def digests(list keys, const int64_t[::1] codes, list texts, int size=8, int kept=8):
    """The first ``kept`` bytes, at most 16, of the digests of ``size`` bytes of ``keys[code]``, 0x1F and the text, row
    by row and one behind the other.
    """
    cdef Py_ssize_t row, rows = len(texts), key_size = 0, text_size = 0
    cdef Waiting waiting
    cdef char* block
    cdef const char* key
    cdef const char* text
    if len(codes) != rows:
        raise ValueError("there must be a code for each text")
    if not 0 <= kept <= min(size, MOST_KEPT):
        raise ValueError(f"{kept} bytes of {size} cannot be kept")
    joined = PyBytes_FromStringAndSize(NULL, rows * kept)
    cdef char* into = PyBytes_AS_STRING(joined)
    memset(&waiting, 0, sizeof(waiting))
    for row in range(rows):
        if not 0 <= codes[row] < len(keys):
            raise IndexError("a code without a key")
        key = utf8_of(keys[codes[row]], &key_size)
        text = utf8_of(texts[row], &text_size)
        if key_size + 1 + text_size > BLOCK:
            long = blake2b(key[:key_size] + b"\x1f" + text[:text_size], digest_size=size).digest()
            memcpy(into + row * kept, PyBytes_AS_STRING(long), kept)
            continue
        block = <char*>waiting.blocks[waiting.count]
        memcpy(block, key, key_size)
        block[key_size] = 0x1f
        memcpy(block + key_size + 1, text, text_size)
        memset(block + key_size + 1 + text_size, 0, BLOCK - key_size - 1 - text_size)
        waiting.sizes[waiting.count] = key_size + 1 + text_size
        waiting.rows[waiting.count] = row
        waiting.count += 1
        if waiting.count == LANES:
            hash_all(&waiting, size, kept, into)
    hash_all(&waiting, size, kept, into)
    return joined


cdef const char* utf8_of(str text, Py_ssize_t* size) except NULL:
    if text is None:
        raise TypeError("a text is missing")
    return PyUnicode_AsUTF8AndSize(text, size)


cdef void hash_all(Waiting* waiting, int size, int kept, char* into) noexcept nogil:
    """Of those that wait; what lies behind them is hashed with them, and left."""
    cdef int at
    if waiting.count:
        hash_eight(waiting.blocks, waiting.sizes, size, waiting.hashes)
    for at in range(waiting.count):
        memcpy(into + waiting.rows[at] * kept, waiting.hashes[at], kept)
    waiting.count = 0
