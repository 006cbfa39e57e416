"""What the journeys tell the counters: how many more or fewer transitions, and stays in stages, by site."""

from collections.abc import Iterator, Mapping

from pipeline.core.counters import STAGE
from pipeline.core.ids import partition_of
from pipeline.core.journeys import Change, Stay
from pipeline.core.sliced import MOST_OF_A_MESSAGE
from schemas.counter import Facts, Measure
from schemas.transition import TransitionFact


def facts_of(
    changes: Mapping[Change, int], stays: Mapping[Stay, int], source: str, partitions: int
) -> Iterator[tuple[int, Facts]]:
    """A message for each partition that is told anything, or several."""
    found: dict[int, Facts] = {}

    def to(site: str) -> Facts:
        return found.setdefault(partition_of(site, partitions), Facts(source, None))

    for (site, model, left, entered), net in changes.items():
        if net:
            to(site).transitions.append(TransitionFact(site, model, left, entered, net))
    for (site, model, stage, minute, is_exit), net in stays.items():
        if net:
            name, sums = f"{STAGE}{model}{STAGE}{stage}", [0, net] if is_exit else [net, 0]
            to(site).measures.append(Measure(site, name, minute, sums))
            # Of a whole history there is one for every minute.
            if len(to(site).measures) == MOST_OF_A_MESSAGE:
                target = partition_of(site, partitions)
                yield target, found.pop(target)
    yield from found.items()
