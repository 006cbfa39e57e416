"""Tables of a column's distinct values, found by their bytes. A part of plain.pyx."""

cdef struct Entry:
    const uint8_t* at
    Py_ssize_t size
    uint64_t hash
    int64_t code


cdef inline uint64_t mixed(uint64_t word) noexcept nogil:
    word *= <uint64_t>0x9E3779B97F4A7C15
    return word ^ word >> 29


cdef inline uint64_t hash_of(const uint8_t* at, Py_ssize_t size) noexcept nogil:
    cdef uint64_t word, found = SEED ^ <uint64_t>size, other = ~SEED
    while size >= 16:  # two chains, that the one need not wait for the other
        memcpy(&word, at, 8)
        found = mixed(found ^ word)
        memcpy(&word, at + 8, 8)
        other = mixed(other ^ word)
        at += 16
        size -= 16
    if size >= 8:
        memcpy(&word, at, 8)
        found = mixed(found ^ word)
        at += 8
        size -= 8
    word = 0
    memcpy(&word, at, size)
    found = mixed(mixed(found ^ word) ^ other)
    found = (found ^ found >> 32) * <uint64_t>0xD6E8FEB86659FD93
    return found ^ found >> 32


cdef class Texts:
    """The distinct texts of a column: by their UTF-8 in a hash table with open addressing, by code in ``values``.

    The bytes of an entry are those of the batch's records, or of the text itself: both outlive the table.
    """

    cdef Entry* entries
    cdef uint32_t* places  # 1 + number of an entry, 0 where there is none
    cdef uint32_t count, mask, last  # number of the entry that was found last
    cdef readonly list values
    cdef Py_ssize_t least, most
    cdef object matches

    def __cinit__(self, rule=None):
        self.count, self.mask, self.last = 0, 63, 0
        self.values = [None]
        self.least = getattr(rule, "min_length", None) or 0
        self.most = MAX_HIT_BYTES if getattr(rule, "max_length", None) is None else rule.max_length
        pattern = getattr(rule, "pattern", None)
        self.matches = None if pattern is None else re.compile(pattern).search
        self.entries = <Entry*>PyMem_Malloc((self.mask + 1) // 2 * sizeof(Entry))
        self.places = <uint32_t*>PyMem_Calloc(self.mask + 1, sizeof(uint32_t))
        if self.entries is NULL or self.places is NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.entries)
        PyMem_Free(self.places)

    cdef value_of(self, const Slice* text):
        """The text, None if it may not be in this column."""
        try:
            value = PyUnicode_DecodeUTF8(<const char*>text.at, text.size, NULL)
        except UnicodeDecodeError:
            return None
        if not self.least <= len(value) <= self.most or (self.matches is not None and not self.matches(value)):
            return None
        return value

    cdef int64_t number(self, value) except -2:
        """The code of a value whose bytes are new."""
        self.values.append(value)
        return len(self.values) - 1

    cdef int64_t code_of(self, const Slice* text) except -2:
        """The code of these bytes, which enter the table if they are new; -1 if they may not."""
        cdef Entry* entry = &self.entries[self.last]
        cdef uint64_t hash
        cdef uint32_t place
        cdef int probe
        if self.count and entry.size == text.size and is_same(entry.at, text.at, text.size):
            return entry.code
        hash = hash_of(text.at, text.size)
        place = <uint32_t>hash & self.mask
        for probe in range(MOST_PROBES):
            if self.places[place] == 0:
                return self.enter(text, hash, place)
            entry = &self.entries[self.places[place] - 1]
            if entry.hash == hash and entry.size == text.size and is_same(entry.at, text.at, text.size):
                self.last = self.places[place] - 1
                return entry.code
            place = (place + 1) & self.mask
        return -1

    cdef int64_t enter(self, const Slice* text, uint64_t hash, uint32_t place) except -2:
        value = self.value_of(text)
        if value is None:
            return -1
        cdef Entry* entry = &self.entries[self.count]
        entry.hash, entry.at, entry.size = hash, text.at, text.size
        if text.kind == ESCAPED_TEXT:  # those bytes are the scratch's
            entry.at = <const uint8_t*>PyUnicode_AsUTF8AndSize(value, &entry.size)
        cdef int64_t code = self.number(value)
        entry.code = code
        self.count += 1
        self.places[place] = self.count
        if 2 * self.count > self.mask:
            self.grow()
        return code

    cdef int grow(self) except -1:
        """Twice the room: there is always some for one entry more."""
        cdef uint32_t mask = 2 * self.mask + 1, number, place
        entries = <Entry*>PyMem_Realloc(self.entries, (mask + 1) // 2 * sizeof(Entry))
        if entries is NULL:
            raise MemoryError
        self.entries = entries
        places = <uint32_t*>PyMem_Calloc(mask + 1, sizeof(uint32_t))
        if places is NULL:
            raise MemoryError
        for number in range(self.count):
            place = <uint32_t>self.entries[number].hash & mask
            while places[place]:
                place = (place + 1) & mask
            places[place] = number + 1
        PyMem_Free(self.places)
        self.places, self.mask = places, mask
        return 0


cdef class Campaigns(Texts):
    """Objects as their bytes; several may be the same campaign."""

    cdef dict codes
    cdef object decode

    def __cinit__(self, rule=None):
        self.codes = {}
        self.decode = Decoder(Campaign).decode

    cdef value_of(self, const Slice* text):
        try:
            return self.decode(text.at[:text.size])
        except (DecodeError, UnicodeDecodeError):
            return None

    cdef int64_t number(self, value) except -2:
        if value not in self.codes:
            self.codes[value] = Texts.number(self, value)
        return self.codes[value]
