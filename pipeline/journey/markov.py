"""The removal effect: which share of all conversions would be lost without a channel, if people walked at random.

Paths are read as a Markov chain of first order: from the start to the first touch, from touch to touch, and from the
last one to a conversion or to nothing. Taking a channel away sends whoever would come to it to nothing. With h(c) the
chance ever to come to channel c and v(c) the chance of a conversion from there on, the conversions that pass c are
h(c) v(c), and the removal effect is that over the chance of a conversion from the start; so one inverse gives all.

Source: E. Anderl et al., "Mapping the customer journey", International Journal of Research in Marketing 33 (2016).
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from pipeline.journey.paths import Path, PathCount


def removal_effects(paths: Mapping[Path, PathCount]) -> dict[str, float]:
    """Channel -> 0 to 1. Empty where nothing converted. Effects do not add up to 1: paths have several channels."""
    names = sorted({name for path in paths for name in path})
    place = {name: number for number, name in enumerate(names, start=1)}  # 0: the start
    size = len(names) + 1
    moves = np.zeros((size, size))
    converted, left = np.zeros(size), np.zeros(size)
    for path, count in sorted(paths.items()):
        steps = [0, *(place[name] for name in path)]
        for here, there in pairwise(steps):
            moves[here, there] += count.conversions + count.lost
        converted[steps[-1]] += count.conversions
        left[steps[-1]] += count.conversions + count.lost
    left += moves.sum(axis=1)
    left[left == 0] = 1  # a path that nobody went
    visits = np.linalg.inv(np.eye(size) - moves / left[:, None])  # expected visits of a column from a row
    chance = visits @ (converted / left)
    if not chance[0]:
        return {}
    reached = visits[0] / visits.diagonal()
    return {name: float(reached[at] * chance[at] / chance[0]) for name, at in place.items()}
