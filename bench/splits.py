"""What the options of sessions cost: ``python -m bench.splits``.

The sessionizer's core in this process, over one live stream in batches, without any option and with all of them:
microseconds of CPU a hit, and bytes of changed state that go to the journal.
"""

import time
from collections import deque

from rich.console import Console
from rich.table import Table

from pipeline.core.channels import Classifier
from pipeline.core.goals import Goals
from pipeline.core.intake import Intake
from pipeline.core.intake_rules import IntakeRules
from pipeline.core.models import load
from pipeline.core.parts import Splits
from pipeline.core.sessionizer import SessionRules
from pipeline.demo.load import load_stream
from pipeline.model_files import builtin_texts

VISITORS, HITS, BATCH = 5_000, 200_000, 5_000
OPTIONS = {"none": Splits(), "all three": Splits(midnight=True, campaign=True, longest_ms=3_600_000)}


def main() -> None:
    """Print the table."""
    hits = list(load_stream(seed=20, visitors=VISITORS, hits=HITS))
    models = load(builtin_texts())
    table = Table("options", "µs a hit", "bytes a hit", title=f"{HITS:,} hits of {VISITORS:,} visitors")
    for name, splits in OPTIONS.items():
        rules = IntakeRules(SessionRules(splits=splits), Goals(), models, Classifier())
        intake, spent, changed = Intake(rules, 0), 0.0, 0
        for began in range(0, HITS, BATCH):
            batch = hits[began : began + BATCH]
            before = time.process_time()
            intake.take(batch, [0] * len(batch), list(range(began, began + len(batch))))
            output = intake.finish(began, has_records=True, is_caught_up=True, number=began)
            deque(output.sessions, maxlen=0)
            changed += len(output.state or b"")
            spent += time.process_time() - before
        table.add_row(name, f"{spent / HITS * 1e6:.1f}", f"{changed / HITS:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
