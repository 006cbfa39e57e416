"""Fair shares of the channels of a path, by what sets of channels achieve.

The worth of a set of channels is the conversion rate of the paths that touched exactly these, 0 where nobody went such
a path, and 0 for the empty one. Order and repetition do not count.

``shapley``: a channel's mean contribution over all orders in which the set could have come together. Only sets that
were seen have a worth, so the sum runs over those and not over all 2**n. L. S. Shapley, "A value for n-person games"
(1953).

``counterfactual``: what the whole set loses when the channel is left out, and nothing in between. This is what the
package fractribution calls Shapley values.

Contributions below 0 are 0; a set without any contribution is shared equally. Shares of a set add up to 1.
"""

from collections.abc import Iterable, Mapping
from math import factorial

from pipeline.journey.paths import Path, PathCount

Channels = frozenset[str]
Shares = dict[str, float]


def worth_of(paths: Mapping[Path, PathCount]) -> dict[Channels, float]:
    """Set of channels -> conversion rate of the paths that touched exactly these."""
    converted: dict[Channels, int] = {}
    gone: dict[Channels, int] = {}
    for path, count in paths.items():
        channels = frozenset(path)
        converted[channels] = converted.get(channels, 0) + count.conversions
        gone[channels] = gone.get(channels, 0) + count.conversions + count.lost
    return {
        channels: converted[channels] / number for channels, number in gone.items() if channels and number
    }


def shapley(channels: Channels, worth: Mapping[Channels, float]) -> Shares:
    """The Shapley value of each channel, as shares."""
    size = len(channels)
    values = dict.fromkeys(sorted(channels), 0.0)
    for part in sorted((part for part in worth if part <= channels), key=sorted):
        inside = factorial(len(part) - 1) * factorial(size - len(part)) / factorial(size)
        outside = (
            factorial(len(part)) * factorial(size - len(part) - 1) / factorial(size)
            if part != channels
            else 0
        )
        for name in values:
            values[name] += worth[part] * (inside if name in part else -outside)
    return shares(values)


def counterfactual(channels: Channels, worth: Mapping[Channels, float]) -> Shares:
    """What is lost without the channel, as shares; the only channel of a path has all."""
    whole = worth.get(channels, 0.0)
    return shares({name: whole - worth.get(channels - {name}, 0.0) for name in sorted(channels)})


def shares(values: Mapping[str, float], names: Iterable[str] | None = None) -> Shares:
    """The values above 0 as shares of their sum; equal ones if there is none."""
    chosen = list(values if names is None else names)
    positive = {name: max(values.get(name, 0.0), 0.0) for name in chosen}
    total = sum(positive.values())
    return {name: value / total if total else 1 / len(chosen) for name, value in positive.items()}
