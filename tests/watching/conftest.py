"""``bench``, which runs processes, and ``deploy`` are not installed: they are imported from the repository."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
