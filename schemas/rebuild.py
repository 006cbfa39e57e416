"""The history of stage models made anew by several workers: what is asked, where it has come to, who has done what."""

from typing import NamedTuple

from msgspec import Struct

PREPARE = "prepare"  # partitions of the evidence wait; whoever has hits or evidence says whether its files are the same
SWITCH = "switch"  # hits are matched by the new models from now on
REMAKE = "remake"  # partitions of the evidence make their history anew, and go on


class InForce(Struct, array_like=True, frozen=True):
    """The models that hits are matched by. ``digests``: by name. ``epoch``: grows with each rebuild."""

    epoch: int
    digests: dict[str, int]


class Request(NamedTuple):
    """``models``: names. ``digests``: of all models as the asker's files have them. ``number`` counts up, with gaps."""

    number: int
    models: tuple[str, ...]
    digests: dict[str, int]

    @property
    def epoch(self) -> int:
        """That of its models once they are in force."""
        return self.number + 1


class Phase(Struct, array_like=True, frozen=True):
    """Where the one that is being done has come to. ``cut``: by partition of hits, the first one matched by the new
    models; ``since``: times, ms, from which on the store has all hits, and all transitions. Known from REMAKE on.
    """

    number: int
    name: str
    cut: list[int] = []
    since: tuple[int, int] = (0, 0)


class Part(NamedTuple):
    """What the owner of a partition of a topic (its bare name) does in a phase."""

    number: int
    phase: str
    topic: str
    partition: int
