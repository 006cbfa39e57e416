"""CRC-32, as zlib has it. A part of plain.pyx and keying.pyx."""


cdef uint32_t CRC_TABLE[256]


cdef int _fill_crc_table() except -1:
    cdef uint32_t byte, word
    cdef int bit
    for byte in range(256):
        word = byte
        for bit in range(8):
            word = word >> 1 ^ (<uint32_t>0xEDB88320 if word & 1 else 0)
        CRC_TABLE[byte] = word
    return 0


_fill_crc_table()


cdef inline uint32_t crc_of(uint32_t crc, const uint8_t* at, Py_ssize_t size) noexcept nogil:
    """CRC-32 (zlib's) goes on over these bytes; begins with all bits set, and they are turned at the end."""
    cdef Py_ssize_t place
    for place in range(size):
        crc = CRC_TABLE[(crc ^ at[place]) & 0xFF] ^ crc >> 8
    return crc
