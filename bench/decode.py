"""Bare decoding: the bytes of the hits to :class:`schemas.hit.Hit`, and nothing else. The ceiling of any job
in Python.

``python -m bench.decode FILE``; the file is in memory before the clock starts, garbage collection is off.
"""

import gc
import sys
from pathlib import Path

from msgspec.json import Decoder

from bench.process import Measure, Stopwatch, emit
from schemas.hit import Hit


def run(path: Path) -> Measure:
    lines = path.read_bytes().splitlines()
    decode = Decoder(Hit).decode
    gc.disable()
    with Stopwatch() as stopwatch:
        for line in lines:
            decode(line)
    return stopwatch.measure(len(lines))


if __name__ == "__main__":
    emit(run(Path(sys.argv[1])))
