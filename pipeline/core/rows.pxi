"""A record's fields: what the contract says of each, and where in the bytes its value lies. Part of plain.pyx."""

cdef enum Role:
    CODED
    CAMPAIGN  # an object, coded
    SINGLE  # a text of which hardly any comes twice
    TIME
    AMOUNT
    UNREAD  # JSON as it came

cdef struct Field:
    const char* name
    Py_ssize_t name_size
    Role role
    Py_ssize_t column  # among those of its role
    double least, most  # of an amount


_NAMES = [name.encode() for name in Hit.__struct_fields__]  # the bytes that Field.name points to
_IDS = ("visitor_id", "user_id")  # a hit has one of them
_columns = {CODED: [], SINGLE: [], TIME: [], AMOUNT: [], UNREAD: []}  # names of fields
_rules = {}  # of texts: name -> what msgspec knows of it
cdef Field FIELDS[MOST_FIELDS]
cdef int COUNT = len(_NAMES)
cdef uint32_t REQUIRED = 0, IDS = 0
cdef int SITE, VISITOR, USER
cdef uint64_t SEED = <uint64_t>hash("masir")  # another one in each process


cdef int _learn(int at, field) except -1:
    """Fill ``FIELDS[at]``. ImportError: the contract has something new, which is to be decoded in Python until it
    is known here.
    """
    global REQUIRED, IDS
    cdef Field* known = &FIELDS[at]
    kinds = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
    kind = kinds[0]
    rest = {type(one) for one in kinds[1:]} - {inspect.DateTimeType}
    if rest != (set() if field.required or isinstance(kind, inspect.RawType) else {inspect.NoneType}):
        raise ImportError(f"unknown kinds of {field.name}")
    if isinstance(kind, inspect.StrType):
        known.role = SINGLE if field.name == "hit_id" else CODED
        _rules[field.name] = kind
    elif kind == inspect.IntType(ge=0) and inspect.DateTimeType(tz=True) in kinds:
        known.role = TIME
    elif isinstance(kind, inspect.FloatType) and kind.gt is kind.lt is kind.multiple_of is None:
        known.role = AMOUNT
        known.least = -inf if kind.ge is None else kind.ge
        known.most = inf if kind.le is None else kind.le
    elif isinstance(kind, inspect.StructType) and kind.cls is Campaign:
        known.role = CAMPAIGN
    elif isinstance(kind, inspect.RawType):
        known.role = UNREAD
    else:
        raise ImportError(f"unknown kind of {field.name}")
    known.name = PyBytes_AS_STRING(_NAMES[at])
    known.name_size = len(_NAMES[at])
    columns = _columns[CODED if known.role == CAMPAIGN else known.role]
    known.column = len(columns)
    columns.append(field.name)
    if field.required:
        REQUIRED |= <uint32_t>1 << at
    if field.name in _IDS:
        IDS |= <uint32_t>1 << at
    return 0


if COUNT > MOST_FIELDS:
    raise ImportError("more fields than MOST_FIELDS")
for _at, _field in enumerate(inspect.type_info(Hit).fields):
    _learn(_at, _field)
SITE, VISITOR, USER = (Hit.__struct_fields__.index(_name) for _name in ("site", *_IDS))


cdef struct Gap:  # from one value to the next, as `,"url":"`: to behind the quote of a text
    const uint8_t* at  # in an earlier row
    Py_ssize_t size  # 0 where there was none yet
    int field
    bint is_text

cdef struct Row:
    Slice values[MOST_FIELDS]  # by field
    uint32_t seen  # a bit per field that it has
    int order[MOST_FIELDS]  # its fields
    int count
    Gap gaps[MOST_FIELDS + 1]  # the last that was seen, by the field before it; at COUNT those that begin a row


cdef inline bint is_same(const uint8_t* one, const uint8_t* other, Py_ssize_t size) noexcept nogil:
    cdef uint64_t words[4]
    if not 8 <= size <= 16:
        return memcmp(one, other, size) == 0
    memcpy(&words[0], one, 8)
    memcpy(&words[1], other, 8)
    memcpy(&words[2], one + size - 8, 8)
    memcpy(&words[3], other + size - 8, 8)
    return words[0] == words[1] and words[2] == words[3]


cdef inline bint is_named(Cursor* cursor, int field) noexcept nogil:
    """Is that the name, and its closing quote, at the cursor? Then go behind it."""
    cdef Py_ssize_t size = FIELDS[field].name_size
    if cursor.end - cursor.at <= size or cursor.at[size] != c'"':
        return False
    if memcmp(cursor.at, FIELDS[field].name, size):
        return False
    cursor.at += size + 1
    return True


cdef bint skip_gap(Cursor* cursor, uint8_t begins, Gap* gap) noexcept nogil:
    """A byte, and a field's name; learn it as the gap."""
    cdef int field = 0
    gap.size, gap.at = 0, cursor.at
    if not skip_byte(cursor, begins):
        return False
    skip_space(cursor)
    if not skip_byte(cursor, c'"'):
        return False
    while not is_named(cursor, field):
        field += 1
        if field == COUNT:
            return False
    skip_space(cursor)
    if not skip_byte(cursor, c":"):
        return False
    skip_space(cursor)
    gap.is_text = skip_byte(cursor, c'"')
    gap.field, gap.size = field, cursor.at - gap.at
    return True


cdef bint scan_row(const Piece* raw, Row* row) noexcept nogil:
    """Is it one JSON object of known fields, each there once? ``row`` then says where their values are.

    ``row`` must be that of an earlier row whose bytes are still there, or zeros: most hits are written as those before.
    """
    cdef Cursor cursor
    cdef int field = COUNT
    cdef Gap* gap
    if raw.at is NULL:
        return False
    cursor.at, cursor.end = raw.at, raw.at + raw.size
    row.count, row.seen = 0, 0
    skip_space(&cursor)
    while True:
        gap = &row.gaps[field]
        if gap.size and cursor.end - cursor.at >= gap.size and is_same(cursor.at, gap.at, gap.size):
            cursor.at += gap.size
        elif field != COUNT and skip_byte(&cursor, c"}"):
            break
        elif not skip_gap(&cursor, c"{" if field == COUNT else c",", gap):
            return False
        field = gap.field
        if row.seen >> field & 1:
            return False
        row.seen |= <uint32_t>1 << field
        row.order[row.count] = field
        row.count += 1
        if gap.is_text:
            if not skip_text(&cursor, &row.values[field]):
                return False
        elif not skip_value(&cursor, &row.values[field]):
            return False
        skip_space(&cursor)
    skip_space(&cursor)
    return cursor.at == cursor.end
