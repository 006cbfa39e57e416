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
    targets: dict[str, int] = {}

    def to(site: str) -> Facts:
        target = targets.get(site)
        if target is None:
            target = targets[site] = partition_of(site, partitions)
        facts = found.get(target)
        if facts is None:
            facts = found[target] = Facts(source, None)
        return facts

    for (site, model, left, entered), net in changes.items():
        if net:
            to(site).transitions.append(TransitionFact(site, model, left, entered, net))
    for (site, model, stage, minute, is_exit), net in stays.items():
        if net:
            measures = to(site).measures
            sums = [0, net] if is_exit else [net, 0]
            measures.append(Measure(site, f"{STAGE}{model}{STAGE}{stage}", minute, sums))
            # Of a whole history there is one for every minute.
            if len(measures) == MOST_OF_A_MESSAGE:
                yield targets[site], found.pop(targets[site])
    yield from found.items()
