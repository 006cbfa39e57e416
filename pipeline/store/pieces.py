"""An answer of the embedded engine in pieces, however large it is.

The engine writes into a pipe as into a file, in whatever format, and waits while nobody reads: no more than a piece is
in memory. (Its own streams are only of formats without a header.)
Source: https://clickhouse.com/docs/sql-reference/statements/select/into-outfile
"""

import os
import select
import threading
from collections.abc import Callable, Generator

PIECE_BYTES = 1 << 20


def pieces(
    run: Callable[[str], object],
    kill: Callable[[str], object],
    query: str,
    output_format: str,
    until: int | None = None,
) -> Generator[bytes]:
    """``run`` a query whose answer is read from here; ``kill`` it (a statement) when nobody wants the rest: when this
    is closed, or the descriptor ``until`` can be read.

    Raises what ``run`` raises, perhaps after some pieces. Take it to its end, or close it.
    """
    source, sink = os.pipe()
    place = f"/proc/self/fd/{sink}"
    errors: list[Exception] = []

    def write() -> None:
        try:
            run(f"{query}\nINTO OUTFILE '{place}' APPEND FORMAT {output_format}")
        except Exception as error:
            errors.append(error)
        finally:
            os.close(sink)

    writer = threading.Thread(target=write)
    writer.start()
    is_over = False
    try:
        while _comes(source, until):
            if not (piece := os.read(source, PIECE_BYTES)):
                is_over = True
                break
            yield piece
    finally:
        if not is_over:
            kill(f"KILL QUERY WHERE position(query, '{place}') > 0 ASYNC")
            while os.read(
                source, PIECE_BYTES
            ):  # until it ends: what it cannot write counts as a fault of the disk
                pass
        writer.join()
        os.close(source)
    if errors:
        raise errors[0]


def _comes(source: int, until: int | None) -> bool:
    """Wait for something in ``source``; False if ``until`` can be read first."""
    waiting = select.poll()
    waiting.register(source, select.POLLIN)
    if until is not None:
        waiting.register(until, select.POLLIN)
    return any(descriptor == source for descriptor, _ in waiting.poll())
