# cython: language_level=3
"""JSON as it lies in memory: where its values begin and end. Nothing is made of them here, and nothing is changed.

Every function moves a cursor over what it knows and says whether it knew it; after a False the cursor is anywhere
from its start to ``end``. No byte at or behind ``end`` is read. What is refused may still be JSON: numbers with an
exponent or of more than 32 characters, and what is nested deeper than 32 levels.
"""

from libc.stdint cimport uint8_t, uint64_t

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #ifdef __SSE2__
    #include <emmintrin.h>
    #endif

    /* The first quote, backslash or control character, else `end`. `*high` is not 0: not all before it is ASCII. */
    static inline const uint8_t* text_stop(const uint8_t* at, const uint8_t* end, uint64_t* high) {
    #ifdef __SSE2__
        const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8(0x5C), control = _mm_set1_epi8(0x1F);
        for (; end - at >= 16; at += 16) {
            const __m128i bytes = _mm_loadu_si128((const __m128i*)at);
            const __m128i is_mark = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash));
            const __m128i is_control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes);
            const unsigned stops = (unsigned)_mm_movemask_epi8(_mm_or_si128(is_mark, is_control));
            *high |= (unsigned)_mm_movemask_epi8(bytes) & ((stops & -stops) - 1);  /* only below the first stop */
            if (stops) return at + __builtin_ctz(stops);
        }
    #else
        const uint64_t each = 0x0101010101010101u;
        for (uint64_t word; end - at >= 8; at += 8) {
            memcpy(&word, at, 8);
            const uint64_t mark = word ^ each * '"', slash = word ^ each * 0x5C, is_low = (word - each * 0x20) & ~word;
            if ((((mark - each) & ~mark) | ((slash - each) & ~slash) | is_low) & each * 0x80) break;
            *high |= word & each * 0x80;
        }
    #endif
        for (; at < end && *at != '"' && *at != 0x5C && *at >= 0x20; at++) *high |= *at & 0x80;
        return at;
    }
    """
    const uint8_t* text_stop(const uint8_t* at, const uint8_t* end, uint64_t* high) noexcept nogil

cdef enum:
    MOST_DEEP = 32
    LONGEST_NUMBER = 32

cdef enum Kind:
    NULL_VALUE
    ASCII_TEXT  # without an escape: its bytes are the text's
    TEXT  # the same, not all of it ASCII, nor known to be UTF-8
    ESCAPED_TEXT
    NUMBER
    BOOLEAN
    NESTED  # an object or an array

cdef struct Cursor:
    const uint8_t* at
    const uint8_t* end

cdef struct Slice:  # of a text: what is between the quotes
    const uint8_t* at
    Py_ssize_t size
    Kind kind


cdef inline void skip_space(Cursor* cursor) noexcept nogil:
    while cursor.at < cursor.end and cursor.at[0] in (c" ", c"\n", c"\r", c"\t"):
        cursor.at += 1


cdef inline bint skip_byte(Cursor* cursor, uint8_t byte) noexcept nogil:
    if cursor.at >= cursor.end or cursor.at[0] != byte:
        return False
    cursor.at += 1
    return True


cdef inline bint skip_word(Cursor* cursor, const char* word, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t place
    if cursor.end - cursor.at < size:
        return False
    for place in range(size):
        if cursor.at[place] != <uint8_t>word[place]:
            return False
    cursor.at += size
    return True


cdef inline int hex_digit(uint8_t byte) noexcept nogil:
    """Its value, -1 for what is none."""
    if c"0" <= byte <= c"9":
        return byte - c"0"
    byte |= 0x20
    return byte - c"a" + 10 if c"a" <= byte <= c"f" else -1


cdef inline int code_unit(Cursor* cursor) noexcept nogil:
    """The four hexadecimal digits behind a backslash and u, -1 where they are not."""
    cdef int place, digit, unit = 0
    if cursor.end - cursor.at < 4:
        return -1
    for place in range(4):
        digit = hex_digit(cursor.at[place])
        if digit < 0:
            return -1
        unit = unit << 4 | digit
    cursor.at += 4
    return unit


cdef inline int escaped(Cursor* cursor) noexcept nogil:
    """The code point of the escape behind a backslash, -1 for none: half a surrogate pair is none."""
    cdef int high, low
    cdef uint8_t letter
    if cursor.at >= cursor.end:
        return -1
    letter = cursor.at[0]
    cursor.at += 1
    if letter in (c'"', c"\\", c"/"):
        return letter
    if letter == c"n":
        return 10
    if letter == c"t":
        return 9
    if letter == c"r":
        return 13
    if letter == c"b":
        return 8
    if letter == c"f":
        return 12
    if letter != c"u":
        return -1
    high = code_unit(cursor)
    if not 0xD800 <= high <= 0xDFFF:
        return high
    if high >= 0xDC00 or not skip_byte(cursor, c"\\") or not skip_byte(cursor, c"u"):
        return -1
    low = code_unit(cursor)
    if not 0xDC00 <= low <= 0xDFFF:
        return -1
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)


cdef inline bint skip_text(Cursor* cursor, Slice* found) noexcept nogil:
    """A string whose opening quote is behind the cursor; control characters are not known."""
    cdef uint64_t high = 0
    cdef bint has_escapes = False
    found.at = cursor.at
    while True:
        cursor.at = text_stop(cursor.at, cursor.end, &high)
        if skip_byte(cursor, c'"'):
            found.size = cursor.at - 1 - found.at
            found.kind = ESCAPED_TEXT if has_escapes else TEXT if high else ASCII_TEXT
            return True
        if not skip_byte(cursor, c"\\") or escaped(cursor) < 0:
            return False
        has_escapes = True


cdef inline bint skip_number(Cursor* cursor) noexcept nogil:
    cdef const uint8_t* start = cursor.at
    cdef const uint8_t* digits
    skip_byte(cursor, c"-")
    digits = cursor.at
    skip_digits(cursor)
    if cursor.at == digits or (digits[0] == c"0" and cursor.at - digits > 1):
        return False
    if skip_byte(cursor, c"."):
        digits = cursor.at
        skip_digits(cursor)
        if cursor.at == digits:
            return False
    return cursor.at - start <= LONGEST_NUMBER


cdef inline void skip_digits(Cursor* cursor) noexcept nogil:
    while cursor.at < cursor.end and c"0" <= cursor.at[0] <= c"9":
        cursor.at += 1


cdef inline bint skip_scalar(Cursor* cursor, Slice* found) noexcept nogil:
    cdef uint8_t byte
    if cursor.at >= cursor.end:
        return False
    byte = cursor.at[0]
    if byte == c'"':
        cursor.at += 1
        return skip_text(cursor, found)
    found.at = cursor.at
    if byte == c"-" or c"0" <= byte <= c"9":
        found.kind = NUMBER
        if not skip_number(cursor):
            return False
    elif byte == c"n":
        found.kind = NULL_VALUE
        if not skip_word(cursor, b"null", 4):
            return False
    else:
        found.kind = BOOLEAN
        if not skip_word(cursor, b"true", 4) and not skip_word(cursor, b"false", 5):
            return False
    found.size = cursor.at - found.at
    return True


cdef inline bint skip_key(Cursor* cursor) noexcept nogil:
    """A name and its colon."""
    cdef Slice name
    skip_space(cursor)
    if not skip_byte(cursor, c'"') or not skip_text(cursor, &name):
        return False
    skip_space(cursor)
    return skip_byte(cursor, c":")


cdef inline bint skip_nested(Cursor* cursor) noexcept nogil:
    """An object or an array, at whose bracket the cursor is. The levels that are open are bits, 1 for an object."""
    cdef Slice scalar
    cdef uint64_t objects = 0
    cdef int depth = 0
    while True:  # a value begins here
        skip_space(cursor)
        if cursor.at < cursor.end and cursor.at[0] in (c"{", c"["):
            if depth == MOST_DEEP:
                return False
            depth += 1
            objects = objects << 1 | (cursor.at[0] == c"{")
            cursor.at += 1
            skip_space(cursor)
            if cursor.at >= cursor.end:
                return False
            if cursor.at[0] != (c"}" if objects & 1 else c"]"):
                if objects & 1 and not skip_key(cursor):
                    return False
                continue
        elif not skip_scalar(cursor, &scalar):
            return False
        while True:  # a value has ended here
            skip_space(cursor)
            if skip_byte(cursor, c"}" if objects & 1 else c"]"):
                depth -= 1
                objects >>= 1
                if depth == 0:
                    return True
            elif not skip_byte(cursor, c","):
                return False
            elif objects & 1 and not skip_key(cursor):
                return False
            else:
                break


cdef inline bint skip_value(Cursor* cursor, Slice* found) noexcept nogil:
    if cursor.at < cursor.end and cursor.at[0] in (c"{", c"["):
        found.at = cursor.at
        found.kind = NESTED
        if not skip_nested(cursor):
            return False
        found.size = cursor.at - found.at
        return True
    return skip_scalar(cursor, found)


cdef inline Py_ssize_t unescape(const Slice* text, uint8_t* into) noexcept nogil:
    """UTF-8 of an escaped text into a buffer of at least ``text.size`` bytes; its length, -1 for a broken escape.

    An escape is never shorter than what it stands for: two bytes for one, six for three, twelve for four.
    """
    cdef Cursor cursor
    cdef uint8_t* out = into
    cdef int point
    cursor.at, cursor.end = text.at, text.at + text.size
    while cursor.at < cursor.end:
        point = cursor.at[0]
        cursor.at += 1
        if point != c"\\":
            out[0] = <uint8_t>point
            out += 1
            continue
        point = escaped(&cursor)
        if point < 0:
            return -1
        if point < 0x80:
            out[0] = <uint8_t>point
            out += 1
        elif point < 0x800:
            out[0], out[1] = <uint8_t>(0xC0 | point >> 6), <uint8_t>(0x80 | point & 0x3F)
            out += 2
        elif point < 0x10000:
            out[0], out[1] = <uint8_t>(0xE0 | point >> 12), <uint8_t>(0x80 | point >> 6 & 0x3F)
            out[2] = <uint8_t>(0x80 | point & 0x3F)
            out += 3
        else:
            out[0], out[1] = <uint8_t>(0xF0 | point >> 18), <uint8_t>(0x80 | point >> 12 & 0x3F)
            out[2], out[3] = <uint8_t>(0x80 | point >> 6 & 0x3F), <uint8_t>(0x80 | point & 0x3F)
            out += 4
    return out - into
