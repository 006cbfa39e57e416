"""Survey scores on one scale: 1 to 10 for ``csat`` and ``ces``, 0 to 10 for ``nps``; other scales map linearly.

``scale`` is the best mark that could be given: 5 means 1 to 5 (``nps``: 0 to 5). Absent, it is 10.
A score outside its scale, or of a metric unknown here, has no normalised value: None. Nothing raises.
"""

from typing import Final

import msgspec

LOWEST: Final = {"csat": 1.0, "ces": 1.0, "nps": 0.0}
HIGHEST: Final = 10.0


class _Props(msgspec.Struct, gc=False):
    metric: str = ""


_decoder = msgspec.json.Decoder(_Props)


def metric_of(props: bytes | None) -> str:
    """``props.metric``, or "" where there is none."""
    if not props:
        return ""
    try:
        return _decoder.decode(props).metric
    except (msgspec.DecodeError, RecursionError):
        return ""


def normalised_score(metric: str, score: float | None, scale: float | None) -> float | None:
    """``score`` on the common scale of its metric."""
    lowest = LOWEST.get(metric)
    highest = HIGHEST if scale is None else scale
    if lowest is None or score is None or highest <= lowest or not lowest <= score <= highest:
        return None
    return lowest + (score - lowest) * (HIGHEST - lowest) / (highest - lowest)
