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


cdef struct Row:
    Slice values[MOST_FIELDS]  # by field
    uint32_t seen  # a bit per field that it has
    int order[MOST_FIELDS]  # its fields
    int count


cdef inline bint is_named(Cursor* cursor, int field) noexcept nogil:
    """Is that the name, and its closing quote, at the cursor? Then go behind it."""
    cdef Py_ssize_t size = FIELDS[field].name_size
    if cursor.end - cursor.at <= size or cursor.at[size] != c'"':
        return False
    if memcmp(cursor.at, FIELDS[field].name, size):
        return False
    cursor.at += size + 1
    return True


cdef bint scan_row(const Piece* raw, Row* row) noexcept nogil:
    """Is it one JSON object of known fields, each there once? ``row`` then says where their values are.

    ``row`` must be that of an earlier row, or zeros: most hits have the fields of the one before, in its order.
    """
    cdef Cursor cursor
    cdef int field
    if raw.at is NULL:
        return False
    cursor.at, cursor.end = raw.at, raw.at + raw.size
    row.count, row.seen = 0, 0
    skip_space(&cursor)
    if not skip_byte(&cursor, c"{"):
        return False
    while True:
        skip_space(&cursor)
        if row.count == COUNT or not skip_byte(&cursor, c'"'):
            return False
        field = row.order[row.count]
        if not is_named(&cursor, field):
            field = 0
            while not is_named(&cursor, field):
                field += 1
                if field == COUNT:
                    return False
        if row.seen >> field & 1:
            return False
        row.seen |= <uint32_t>1 << field
        row.order[row.count] = field
        row.count += 1
        skip_space(&cursor)
        if not skip_byte(&cursor, c":"):
            return False
        skip_space(&cursor)
        if not skip_value(&cursor, &row.values[field]):
            return False
        skip_space(&cursor)
        if not skip_byte(&cursor, c","):
            break
    if not skip_byte(&cursor, c"}"):
        return False
    skip_space(&cursor)
    return cursor.at == cursor.end
