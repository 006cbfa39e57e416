"""Where records lie, whatever they are kept in. A part of plain.pyx."""

cdef struct Piece:
    const uint8_t* at  # NULL: what should be bytes is not
    Py_ssize_t size


cdef class Raws:
    """Where the bytes of each record are, of any sequence of bytes objects; they stay as long as this."""

    cdef Piece* pieces
    cdef Py_ssize_t count
    cdef object held

    def __cinit__(self, raws):
        cdef Py_ssize_t size = len(raws)
        self.pieces = <Piece*>PyMem_Malloc((size or 1) * sizeof(Piece))
        if self.pieces is NULL:
            raise MemoryError
        if isinstance(raws, Packed):
            self.held = raws
            for buffer, starts, ends in raws.runs:
                self.add_run(buffer, starts, ends, size)
        else:
            self.held = tuple(raws)
            for raw in <tuple>self.held:
                self.add(raw, size)
        if self.count != size:
            raise ValueError("not as many records as their length says")

    def __dealloc__(self):
        PyMem_Free(self.pieces)

    cdef int add(self, raw, Py_ssize_t most) except -1:
        cdef Piece* piece = &self.pieces[self.count]
        if self.count == most:
            raise ValueError("more records than their length says")
        piece.at, piece.size = NULL, 0
        if type(raw) is bytes:
            piece.at, piece.size = <const uint8_t*>PyBytes_AS_STRING(raw), PyBytes_GET_SIZE(raw)
        self.count += 1
        return 0

    cdef int add_run(self, bytes buffer, const int64_t[::1] starts, const int64_t[::1] ends, Py_ssize_t most) except -1:
        cdef const uint8_t* start = <const uint8_t*>PyBytes_AS_STRING(buffer)
        cdef Py_ssize_t at
        if len(starts) != len(ends) or self.count + len(starts) > most:
            raise ValueError("not as many starts as ends")
        for at in range(len(starts)):
            if not 0 <= starts[at] <= ends[at] <= PyBytes_GET_SIZE(buffer):
                raise ValueError("a record outside its buffer")
            self.pieces[self.count].at = start + starts[at]
            self.pieces[self.count].size = ends[at] - starts[at]
            self.count += 1
        return 0
