"""Lines of a text, and records parted by their visitors' keys. A part of plain.pyx."""


def lines(bytes text, Py_ssize_t most):
    """See :func:`pipeline.core.packed.lines_by_search`."""
    cdef const char* first = PyBytes_AS_STRING(text)
    cdef const char* behind = first + PyBytes_GET_SIZE(text)
    cdef const char* start = first
    cdef const char* end
    cdef Py_ssize_t at = 0
    while (end := next_end(start, behind)) is not NULL:  # bytes.count is far slower
        start = end + 1
        at += 1
    starts_array, ends_array = np.empty(at, np.int64), np.empty(at, np.int64)
    cdef int64_t[::1] starts = starts_array, ends = ends_array
    start = first
    for at in range(len(starts)):
        end = next_end(start, behind)
        starts[at], ends[at] = start - first, min(end - first, start - first + most)
        start = end + 1
    return starts_array, ends_array


cdef inline const char* next_end(const char* start, const char* behind) noexcept nogil:
    return <const char*>memchr(start, c"\n", behind - start)


def targets(raws, uint32_t partitions):
    """Each record's partition, as :func:`pipeline.core.parting.targets_of` has it; -1 where that must be asked."""
    cdef Raws found = Raws(raws)
    cdef Row row
    cdef Slice site, owner
    cdef uint8_t between[2]
    cdef uint32_t crc
    cdef Py_ssize_t at
    if partitions == 0:
        raise ValueError("no partitions")
    result = np.empty(found.count, np.int64)
    cdef int64_t[::1] into = result
    memset(&row, 0, sizeof(Row))
    between[0] = 0x1F
    for at in range(found.count):
        into[at] = -1
        if scan_row(&found.pieces[at], &row) and find_key(&row, &site, &owner, &between[1]):
            crc = crc_of(<uint32_t>0xFFFFFFFF, site.at, site.size)
            crc = crc_of(crc_of(crc, between, 2), owner.at, owner.size)
            into[at] = (crc ^ <uint32_t>0xFFFFFFFF) % partitions
    return result


cdef inline int head_size(bint is_array, Py_ssize_t size) noexcept nogil:
    """Bytes before an array of ``size`` elements, or before so many bytes."""
    if is_array and size < 16:
        return 1
    return 2 if not is_array and size < 0x100 else 3 if size < 0x10000 else 5


cdef inline uint8_t* put_head(uint8_t* into, bint is_array, Py_ssize_t size) noexcept nogil:
    """msgpack's: of the kind that is as long as that; returns where it ends."""
    cdef int width = head_size(is_array, size) - 1
    cdef int byte
    if width == 0:
        into[0] = <uint8_t>(0x90 | size)
    else:
        into[0] = <uint8_t>((0xDB if is_array else 0xC4) + width // 2)
    for byte in range(width):
        into[1 + byte] = <uint8_t>(size >> 8 * (width - 1 - byte))
    return into + 1 + width


def parted(raws, const int64_t[::1] targets, Py_ssize_t partitions, bytes stamp):
    """See :func:`pipeline.core.parting.rows_by_each`; ``stamp``: the time, in msgpack."""
    cdef Raws found = Raws(raws)
    cdef Py_ssize_t at, place, target
    if len(targets) != found.count:
        raise ValueError("a target for each record")
    counts_array, sizes_array = np.zeros(partitions, np.int64), np.zeros(partitions, np.int64)
    cdef int64_t[::1] counts = counts_array, sizes = sizes_array
    for at in range(found.count):
        if not 0 <= targets[at] < partitions or found.pieces[at].at is NULL:
            raise ValueError("a partition, and bytes, for each record")
        counts[targets[at]] += 1
        sizes[targets[at]] += head_size(False, found.pieces[at].size) + found.pieces[at].size
    return [row_of(found, targets, target, counts[target], sizes[target], stamp) for target in range(partitions)]


cdef row_of(
    Raws raws, const int64_t[::1] targets, Py_ssize_t target, Py_ssize_t count, Py_ssize_t size, bytes stamp
):
    """(msgpack, starts, ends) of the ``count`` records of a target, which take ``size`` bytes with their heads."""
    cdef Py_ssize_t at, place = 0
    cdef Py_ssize_t stamp_size = PyBytes_GET_SIZE(stamp)
    size += 1 + 2 * head_size(True, count) + count * stamp_size
    row = PyBytes_FromStringAndSize(NULL, size)
    starts_array, ends_array = np.empty(count, np.int64), np.empty(count, np.int64)
    cdef int64_t[::1] starts = starts_array, ends = ends_array
    cdef uint8_t* start = <uint8_t*>PyBytes_AS_STRING(row)
    cdef uint8_t* into = start + 1
    start[0] = 0x92
    into = put_head(into, True, count)
    for at in range(raws.count):
        if targets[at] == target:
            into = put_head(into, False, raws.pieces[at].size)
            starts[place] = into - start
            memcpy(into, raws.pieces[at].at, raws.pieces[at].size)
            into += raws.pieces[at].size
            ends[place] = into - start
            place += 1
    into = put_head(into, True, count)
    for at in range(count):
        memcpy(into, PyBytes_AS_STRING(stamp), stamp_size)
        into += stamp_size
    return row, starts_array, ends_array
